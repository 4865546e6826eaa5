package import WeftConfig
import WeftCore

/// Service → EndpointSlices: the addresses of the selected pods, one slice for each set of resolved ports.
package enum EndpointSliceController {
    package static func reconcile(_ state: ClusterState, _ context: ControllerContext) -> [DesiredWrite] {
        let pods = PodFactory.decoded(state.all("Pod"))
        let manager = "endpointslice-controller.weft.io"
        var unseen: [String: KubernetesObject] = [:]
        for slice in state.all("EndpointSlice") where slice.labels["endpointslice.kubernetes.io/managed-by"] == manager
        {
            unseen[ClusterState.key(slice.namespace, slice.name)] = slice
        }
        var writes: [DesiredWrite] = []
        for object in state.all("Service") where object.deletionTimestamp == nil {
            guard let service = try? object.decode(Service.self), let selector = service.spec.selector,
                !selector.isEmpty,
                service.spec.type != "ExternalName"
            else { continue }
            let selected = pods.filter { pod in
                pod.object.namespace == object.namespace
                    && selector.allSatisfy { pod.object.labels[$0.key] == $0.value }
            }
            for slice in slices(object, service, selected.map(\.pod), manager) {
                let key = ClusterState.key(slice.namespace, slice.name)
                guard let existing = unseen.removeValue(forKey: key) else {
                    writes.append(.create(slice))
                    continue
                }
                var json = existing.json
                json["endpoints"] = slice.json["endpoints"]
                json["ports"] = slice.json["ports"]
                json[path: "metadata", "labels"] = slice.json[path: "metadata", "labels"]
                if json != existing.json { writes.append(.update(KubernetesObject(json))) }
            }
        }
        return writes + unseen.values.map { .delete($0) }
    }

    private static func slices(_ object: KubernetesObject, _ service: Service, _ pods: [Pod], _ manager: String)
        -> [KubernetesObject]
    {
        var groups: [JSONValue: [Pod]] = [:]
        for pod in pods where !pod.isFinished && !(pod.status?.podIP ?? "").isEmpty {
            groups[ports(service, pod), default: []].append(pod)
        }
        if groups.isEmpty { groups[.array([])] = [] }
        return groups.map { ports, members in
            var labels = object.labels
            labels[EndpointSlice.serviceLabel] = object.name
            labels["endpointslice.kubernetes.io/managed-by"] = manager
            if service.isHeadless { labels["service.kubernetes.io/headless"] = "" }
            let suffix = ports == .array([]) ? "empty" : String(stableHash(ports).prefix(5))
            let endpoints = members.map { endpoint($0, service) }
            return KubernetesObject([
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": [
                    "name": .string("\(object.name)-\(suffix)"), "namespace": .string(object.namespace),
                    "labels": .texts(labels), "ownerReferences": [PodFactory.controllerReference(object)],
                ],
                "addressType": "IPv4", "endpoints": .array(endpoints), "ports": ports,
            ])
        }
    }

    /// The service's ports as this pod answers them; a name that no container of the pod has is left out.
    private static func ports(_ service: Service, _ pod: Pod) -> JSONValue {
        .array(
            (service.spec.ports ?? []).compactMap { port -> JSONValue? in
                guard let number = targetPort(port, of: pod) else { return nil }
                var json: JSONValue = [
                    "name": .string(port.name ?? ""), "port": .number(number),
                    "protocol": .string(port.protocol ?? "TCP"),
                ]
                json["appProtocol"] = port.appProtocol.map { .string($0) }
                return json
            })
    }

    /// The number that a service port has in this pod.
    package static func targetPort(_ port: Service.Port, of pod: Pod) -> Int? {
        switch port.targetPort {
        case nil: return port.port
        case .int(let number): return number == 0 ? port.port : number
        case .string(let name):
            let containers =
                pod.spec.containers + (pod.spec.initContainers ?? []).filter { $0.restartPolicy == "Always" }
            let wanted = port.protocol ?? "TCP"
            return containers.lazy.flatMap { $0.ports ?? [] }
                .first { $0.name == name && ($0.protocol ?? "TCP") == wanted }?.containerPort
        }
    }

    private static func endpoint(_ pod: Pod, _ service: Service) -> JSONValue {
        let serving = pod.isReady
        let ready = (serving && !pod.isTerminating) || service.spec.publishNotReadyAddresses == true
        var json: JSONValue = [
            "addresses": [.string(pod.status?.podIP ?? "")],
            "conditions": ["ready": .bool(ready), "serving": .bool(serving), "terminating": .bool(pod.isTerminating)],
            "targetRef": [
                "kind": "Pod", "namespace": .string(pod.metadata.namespace ?? ""),
                "name": .string(pod.metadata.name ?? ""),
                "uid": .string(pod.metadata.uid ?? ""),
            ],
        ]
        json["nodeName"] = pod.spec.nodeName.map { .string($0) }
        if let hostname = pod.spec.hostname, pod.spec.subdomain == service.metadata.name {
            json["hostname"] = .string(hostname)
        }
        return json
    }
}

/// Services of type LoadBalancer are reached on the host's loopback.
package enum LoadBalancerController {
    package static func reconcile(_ state: ClusterState, _ context: ControllerContext) -> [DesiredWrite] {
        state.all("Service").compactMap { object in
            guard object.json[path: "spec", "type"]?.stringValue == "LoadBalancer", object.deletionTimestamp == nil
            else { return nil }
            let status: JSONValue = ["loadBalancer": ["ingress": [["ip": "127.0.0.1", "ipMode": "VIP"]]]]
            guard object.json[path: "status", "loadBalancer"] != status["loadBalancer"] else { return nil }
            var json = object.json
            json["status"] = status
            return .updateStatus(KubernetesObject(json))
        }
    }
}
