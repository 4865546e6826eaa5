import Foundation

/// Small workloads that several tests need.
enum Manifests {
    static func deployment(
        name: String, app: String, version: String, namespace: String, container: String, annotations: String = "{}",
        serviceAccount: String = "default"
    ) -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: \(name), namespace: \(namespace)}
        spec:
          selector:
            matchLabels: {app: \(app), version: \(version)}
          template:
            metadata:
              labels: {app: \(app), version: \(version)}
              annotations: \(annotations)
            spec:
              serviceAccountName: \(serviceAccount)
              containers:
              - \(container)
        """
    }

    /// A pod that answers with its own name.
    static func hello(name: String, app: String, version: String, namespace: String, annotations: String = "{}")
        -> String
    {
        deployment(
            name: name, app: app, version: version, namespace: namespace,
            container: "{name: hello, image: nginxdemos/hello, ports: [{containerPort: 80}]}", annotations: annotations)
    }

    /// A pod to run curl in.
    static func client(
        namespace: String, name: String = "client", annotations: String = "{}", serviceAccount: String = "default"
    ) -> String {
        deployment(
            name: name, app: name, version: "v1", namespace: namespace,
            container: #"{name: curl, image: curlimages/curl, command: [sleep, "86400"]}"#, annotations: annotations,
            serviceAccount: serviceAccount)
    }

    /// A pod that runs a `weft-samples` command on port 9080.
    static func sample(
        name: String, app: String, version: String, namespace: String, arguments: [String], annotations: String = "{}"
    ) -> String {
        let list = arguments.map { "\"\($0)\"" }.joined(separator: ", ")
        return deployment(
            name: name, app: app, version: version, namespace: namespace,
            container: "{name: app, image: weft/samples, args: [\(list)], ports: [{containerPort: 9080}]}",
            annotations: annotations)
    }

    /// - Parameter app: what the pods are labelled with; the service's own name if it is left out.
    static func service(
        name: String, app: String? = nil, port: Int, targetPort: Int? = nil, portName: String = "http",
        namespace: String
    ) -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: \(name), namespace: \(namespace)}
        spec:
          selector: {app: \(app ?? name)}
          ports:
          - {name: \(portName), port: \(port), targetPort: \(targetPort ?? port)}
        """
    }
}

extension String {
    /// A deployment's manifest with the pods placed: `region.zone`.
    func located(_ locality: String) -> String {
        replacingOccurrences(of: " labels: {app:", with: " labels: {istio-locality: \(locality), app:")
    }
}
