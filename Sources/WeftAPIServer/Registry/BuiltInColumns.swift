import WeftConfig
import WeftCore

/// The table columns of the built-in kinds, as kubectl users know them.
enum BuiltInColumns {
    static let name = PrinterColumn(name: "Name", format: "name") { $0[path: "metadata", "name"] ?? "" }
    static let age = PrinterColumn(name: "Age") { object in
        .string(KubernetesTime.age(since: object[path: "metadata", "creationTimestamp"]?.stringValue))
    }

    private static func text(_ title: String, wide: Bool = false, _ cell: @escaping @Sendable (JSONValue) -> String)
        -> PrinterColumn
    {
        PrinterColumn(name: title, priority: wide ? 1 : 0) { .string(cell($0)) }
    }
    private static func number(_ title: String, _ path: String...) -> PrinterColumn {
        PrinterColumn(name: title, type: "integer") { .int(Int64($0[path: path[...]]?.intValue ?? 0)) }
    }
    private static func field(_ title: String, _ path: String..., wide: Bool = false, absent: String = "<none>")
        -> PrinterColumn
    {
        text(title, wide: wide) { $0[path: path[...]]?.plain ?? absent }
    }
    private static func count(_ title: String, _ path: String...) -> PrinterColumn {
        PrinterColumn(name: title, type: "integer") { object in
            let value = object[path: path[...]]
            return .int(Int64(value?.objectValue?.count ?? value?.arrayValue?.count ?? 0))
        }
    }

    static func columns(for kind: String) -> [PrinterColumn] { [name] + middle(kind) }

    private static func middle(_ kind: String) -> [PrinterColumn] {
        switch kind {
        case "Pod": PodColumns.columns
        case "Deployment":
            [
                text("Ready") { "\($0.int("status", "readyReplicas"))/\($0.int("spec", "replicas"))" },
                number("Up-to-date", "status", "updatedReplicas"), number("Available", "status", "availableReplicas"),
                age,
            ] + templateColumns
        case "ReplicaSet", "ReplicationController":
            [
                number("Desired", "spec", "replicas"), number("Current", "status", "replicas"),
                number("Ready", "status", "readyReplicas"), age,
            ] + templateColumns
        case "StatefulSet":
            [text("Ready") { "\($0.int("status", "readyReplicas"))/\($0.int("spec", "replicas"))" }, age]
                + templateColumns.dropLast()
        case "DaemonSet":
            [
                number("Desired", "status", "desiredNumberScheduled"),
                number("Current", "status", "currentNumberScheduled"),
                number("Ready", "status", "numberReady"), number("Up-to-date", "status", "updatedNumberScheduled"),
                number("Available", "status", "numberAvailable"),
                text("Node Selector") { selector($0[path: "spec", "template", "spec", "nodeSelector"]) }, age,
            ] + templateColumns
        case "Service": serviceColumns
        case "Namespace": [field("Status", "status", "phase", absent: ""), age]
        case "ConfigMap": [count("Data", "data"), age]
        case "Secret":
            [field("Type", "type", absent: "Opaque"), count("Data", "data"), age]
        case "ServiceAccount": [count("Secrets", "secrets"), age]
        case "Node": nodeColumns
        case "Event": eventColumns
        case "Endpoints": [text("Endpoints", endpoints), age]
        case "EndpointSlice":
            [
                field("AddressType", "addressType"), text("Ports") { ports($0["ports"]) },
                text("Endpoints") {
                    list($0["endpoints"]?.arrayValue?.compactMap { $0["addresses"]?[0]?.stringValue } ?? [])
                },
                age,
            ]
        case "Job":
            [
                text("Status") { jobStatus($0) },
                text("Completions") { "\($0.int("status", "succeeded"))/\($0.int("spec", "completions", absent: 1))" },
                age,
            ]
        case "CustomResourceDefinition":
            [text("Created At") { $0[path: "metadata", "creationTimestamp"]?.stringValue ?? "" }]
        case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration": [count("Webhooks", "webhooks"), age]
        case "Role", "ClusterRole":
            [text("Created At") { $0[path: "metadata", "creationTimestamp"]?.stringValue ?? "" }]
        case "RoleBinding", "ClusterRoleBinding":
            [text("Role") { "\($0.string("roleRef", "kind"))/\($0.string("roleRef", "name"))" }, age]
        case "Lease": [field("Holder", "spec", "holderIdentity", absent: ""), age]
        case "Ingress":
            [
                field("Class", "spec", "ingressClassName"),
                text("Hosts") {
                    list($0[path: "spec", "rules"]?.arrayValue?.map { $0["host"]?.stringValue ?? "*" } ?? [])
                },
                text("Address") { loadBalancer($0) ?? "" },
                text("Ports") { $0[path: "spec", "tls"] == nil ? "80" : "80, 443" }, age,
            ]
        default: [age]
        }
    }

    private static var templateColumns: [PrinterColumn] {
        [
            text("Containers", wide: true) { list(containers($0).map { $0.string("name") }) },
            text("Images", wide: true) { list(containers($0).map { $0.string("image") }) },
            text("Selector", wide: true) {
                selector($0[path: "spec", "selector", "matchLabels"] ?? $0[path: "spec", "selector"])
            },
        ]
    }
    private static func containers(_ object: JSONValue) -> [JSONValue] {
        object[path: "spec", "template", "spec", "containers"]?.arrayValue ?? []
    }

    private static var serviceColumns: [PrinterColumn] {
        [
            field("Type", "spec", "type"), field("Cluster-IP", "spec", "clusterIP"),
            text("External-IP") { object in
                switch object[path: "spec", "type"]?.stringValue {
                case "ExternalName": object.string("spec", "externalName")
                case "LoadBalancer": loadBalancer(object) ?? "<pending>"
                default: "<none>"
                }
            },
            text("Port(s)") { object in
                list(
                    object[path: "spec", "ports"]?.arrayValue?.map { port in
                        let node = port["nodePort"]?.intValue.map { ":\($0)" } ?? ""
                        return "\(port.int("port"))\(node)/\(port["protocol"]?.stringValue ?? "TCP")"
                    } ?? [], limit: .max)
            }, age, text("Selector", wide: true) { selector($0[path: "spec", "selector"]) },
        ]
    }
    private static func loadBalancer(_ object: JSONValue) -> String? {
        let ingress = object[path: "status", "loadBalancer", "ingress"]?.arrayValue ?? []
        return ingress.isEmpty ? nil : list(ingress.map { $0["ip"]?.stringValue ?? $0.string("hostname") })
    }

    private static var nodeColumns: [PrinterColumn] {
        [
            text("Status") { object in
                let ready = object[path: "status", "conditions"]?.arrayValue?.first { $0["type"] == "Ready" }
                return ready?["status"] == "True" ? "Ready" : "NotReady"
            },
            text("Roles") { object in
                let prefix = "node-role.kubernetes.io/"
                let roles = KubernetesObject(object).labels.keys.filter { $0.hasPrefix(prefix) }
                return roles.isEmpty
                    ? "<none>" : roles.map { String($0.dropFirst(prefix.count)) }.sorted().joined(separator: ",")
            }, age, field("Version", "status", "nodeInfo", "kubeletVersion", absent: ""),
            text("Internal-IP", wide: true) {
                $0[path: "status", "addresses"]?.arrayValue?.first { $0["type"] == "InternalIP" }?.string("address")
                    ?? "<none>"
            }, text("External-IP", wide: true) { _ in "<none>" },
            field("OS-Image", "status", "nodeInfo", "osImage", wide: true),
            field("Kernel-Version", "status", "nodeInfo", "kernelVersion", wide: true),
            field("Container-Runtime", "status", "nodeInfo", "containerRuntimeVersion", wide: true),
        ]
    }

    private static var eventColumns: [PrinterColumn] {
        [
            text("Last Seen") { event in
                let time =
                    event["lastTimestamp"]?.stringValue ?? event["deprecatedLastTimestamp"]?.stringValue
                    ?? event["eventTime"]?.stringValue ?? event[path: "metadata", "creationTimestamp"]?.stringValue
                return KubernetesTime.age(since: time)
            }, field("Type", "type", absent: ""), field("Reason", "reason", absent: ""),
            text("Object") { event in
                let object = event["involvedObject"] ?? event["regarding"] ?? [:]
                return "\(object.string("kind").lowercased())/\(object.string("name"))"
            },
            text("Message") { ($0["message"]?.stringValue ?? $0["note"]?.stringValue ?? "").trimmed },
            text("Count", wide: true) { String($0.int("count", absent: 1)) },
        ]
    }

    private static func endpoints(_ object: JSONValue) -> String {
        let subsets = object["subsets"]?.arrayValue ?? []
        return list(
            subsets.flatMap { subset in
                (subset["addresses"]?.arrayValue ?? []).flatMap { address in
                    (subset["ports"]?.arrayValue ?? []).map { "\(address.string("ip")):\($0.int("port"))" }
                }
            })
    }
    private static func ports(_ value: JSONValue?) -> String {
        let ports = value?.arrayValue?.map { String($0.int("port")) } ?? []
        return ports.isEmpty ? "<unset>" : list(ports)
    }
    private static func jobStatus(_ object: JSONValue) -> String {
        let conditions = object[path: "status", "conditions"]?.arrayValue ?? []
        let trueColumn = conditions.first {
            $0["status"] == "True" && ($0["type"] == "Complete" || $0["type"] == "Failed")
        }
        return trueColumn?["type"]?.stringValue ?? "Running"
    }
    static func list(_ words: [String], limit: Int = 3) -> String {
        if words.isEmpty { return "<none>" }
        let shown = words.prefix(limit).joined(separator: ",")
        return words.count > limit ? "\(shown) + \(words.count - limit) more..." : shown
    }
    static func selector(_ value: JSONValue?) -> String {
        let pairs = value?.objectValue?.compactMapValues(\.stringValue) ?? [:]
        return pairs.isEmpty
            ? "<none>" : pairs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }
}

extension JSONValue {
    func string(_ path: String...) -> String { self[path: path[...]]?.stringValue ?? "" }
    func int(_ path: String..., absent: Int = 0) -> Int { self[path: path[...]]?.intValue ?? absent }
    /// Text for a table's cell.
    var plain: String? {
        switch self {
        case .null: nil
        case .string(let text): text
        default: text()
        }
    }
}
