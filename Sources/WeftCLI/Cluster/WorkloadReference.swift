import WeftConfig
import WeftCore
import WeftKubernetes

/// The pod that a user means: `POD`, `POD.NAMESPACE`, `pod/NAME`, `deploy/NAME[.NAMESPACE]`.
struct WorkloadReference: Equatable {
    enum Kind: Equatable {
        case pod, deployment
    }

    var kind: Kind
    var name: String
    var namespace: String?

    init(_ text: String) throws {
        var rest = text[...]
        kind = .pod
        if let slash = text.firstIndex(of: "/") {
            let word = text[..<slash].lowercased()
            switch word {
            case "deploy", "deployment", "deployments", "deployment.apps", "deployments.apps": kind = .deployment
            case "pod", "pods", "po": kind = .pod
            default:
                throw CommandFailure("\"\(word)\" is not supported: use POD[.NAMESPACE] or deploy/NAME[.NAMESPACE].")
            }
            rest = text[text.index(after: slash)...]
        }
        if let dot = rest.lastIndex(of: ".") {
            namespace = String(rest[rest.index(after: dot)...])
            rest = rest[..<dot]
        }
        name = String(rest)
        guard !name.isEmpty, namespace != "" else {
            throw CommandFailure("\"\(text)\" names no pod: use POD[.NAMESPACE] or deploy/NAME[.NAMESPACE].")
        }
    }

    /// The pod itself; for a Deployment the first of its running pods.
    func pod(_ client: KubernetesClient, defaultNamespace: String) async throws -> KubernetesObject {
        let namespace = namespace ?? defaultNamespace
        do {
            guard kind == .deployment else { return try await client.get(.pods, namespace: namespace, name: name) }
            let deployment = try await client.get(.deployments, namespace: namespace, name: name)
            let labels = deployment.json[path: "spec", "selector", "matchLabels"]?.objectValue ?? [:]
            let selector = labels.map { "\($0.key)=\($0.value.stringValue ?? "")" }.sorted().joined(separator: ",")
            let pods = try await client.list(.pods, namespace: namespace, options: ListOptions(labelSelector: selector))
            let running = pods.items.filter {
                $0.deletionTimestamp == nil && $0.json[path: "status", "phase"]?.stringValue == "Running"
            }
            guard let pod = running.min(by: { $0.name < $1.name }) else {
                throw CommandFailure(
                    "deployment \(namespace)/\(name) has no running pod; see 'kubectl get pods -n \(namespace)'.")
            }
            return pod
        } catch let error as KubernetesError {
            let what = kind == .pod ? "Pod" : "Deployment"
            throw CommandFailure(
                "unable to retrieve \(what): \(error.message). 'kubectl get pods -n \(namespace)' lists what is there.")
        }
    }
}
