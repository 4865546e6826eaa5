import WeftConfig
import WeftCore

/// What Kubernetes refuses in built-in objects, in its words.
enum Validation {
    private static let subdomain =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    private static let label =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    private static let serviceName =
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
    private static let labelValue =
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

    static func problems(_ object: JSONValue, old: JSONValue?, info: ResourceInfo) -> [FieldProblem] {
        var found = old == nil ? nameProblems(object, info) : []
        for (key, value) in KubernetesObject(object).labels.sorted(by: { $0.key < $1.key })
        where value.wholeMatch(of: /(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?/) == nil || value.utf8.count > 63 {
            _ = key
            found.append(.invalid("metadata.labels", .string(value), labelValue))
        }
        switch info.kind {
        case "Pod": found += podSpec(object["spec"] ?? [:], "spec") + podUpdate(object, old)
        case "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet": found += workload(object, old)
        case "Job": found += podSpec(object[path: "spec", "template", "spec"] ?? [:], "spec.template.spec")
        case "Service": found += service(object, old)
        case "ConfigMap", "Secret":
            if let old, old["immutable"] == true, object["data"] != old["data"] {
                found.append(
                    FieldProblem(kind: .forbidden, path: "data", detail: "field is immutable when `immutable` is set"))
            }
        case "CustomResourceDefinition": found += CustomResources.problems(object)
        default: break
        }
        return found
    }

    private static func nameProblems(_ object: JSONValue, _ info: ResourceInfo) -> [FieldProblem] {
        let name = object.string("metadata", "name")
        if info.group == "rbac.authorization.k8s.io" { return [] }
        let (fits, text): (Bool, String) =
            switch info.kind {
            case "Namespace": (name.wholeMatch(of: /[a-z0-9]([-a-z0-9]*[a-z0-9])?/) != nil, label)
            case "Service": (name.wholeMatch(of: /[a-z]([-a-z0-9]*[a-z0-9])?/) != nil, serviceName)
            default:
                (
                    name.wholeMatch(of: /[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/) != nil,
                    subdomain
                )
            }
        var found: [FieldProblem] = fits ? [] : [.invalid("metadata.name", .string(name), text)]
        let limit = info.kind == "Namespace" || info.kind == "Service" ? 63 : 253
        if name.utf8.count > limit {
            found.append(.invalid("metadata.name", .string(name), "must be no more than \(limit) characters"))
        }
        return found
    }

    private static func podSpec(_ spec: JSONValue, _ path: String) -> [FieldProblem] {
        let containers = spec["containers"]?.arrayValue ?? []
        var found: [FieldProblem] = containers.isEmpty ? [.required("\(path).containers")] : []
        let volumes = Set((spec["volumes"]?.arrayValue ?? []).map { $0.string("name") })
        var names = Set<String>()
        for key in ["initContainers", "containers"] {
            for (index, container) in (spec[key]?.arrayValue ?? []).enumerated() {
                let place = "\(path).\(key)[\(index)]"
                let name = container.string("name")
                if name.isEmpty {
                    found.append(.required("\(place).name"))
                } else if name.wholeMatch(of: /[a-z0-9]([-a-z0-9]*[a-z0-9])?/) == nil {
                    found.append(.invalid("\(place).name", .string(name), label))
                } else if !names.insert(name).inserted {
                    found.append(FieldProblem(kind: .duplicate(.string(name)), path: "\(place).name", detail: ""))
                }
                if container.string("image").isEmpty { found.append(.required("\(place).image")) }
                for (position, port) in (container["ports"]?.arrayValue ?? []).enumerated()
                where !(1...65535).contains(port.int("containerPort")) {
                    found.append(
                        .invalid(
                            "\(place).ports[\(position)].containerPort", port["containerPort"] ?? 0,
                            "must be between 1 and 65535, inclusive"))
                }
                for (position, mount) in (container["volumeMounts"]?.arrayValue ?? []).enumerated()
                where !volumes.contains(mount.string("name")) {
                    found.append(
                        FieldProblem(
                            kind: .invalid(mount["name"] ?? ""), path: "\(place).volumeMounts[\(position)].name",
                            detail: "no volume of the pod has this name"))
                }
            }
        }
        return found
    }

    private static func podUpdate(_ object: JSONValue, _ old: JSONValue?) -> [FieldProblem] {
        guard let old, let before = old["spec"], let after = object["spec"] else { return [] }
        func frozen(_ spec: JSONValue) -> JSONValue {
            var spec = spec
            for key in [
                "activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName", "schedulingGates",
            ] {
                spec[key] = nil
            }
            for key in ["containers", "initContainers"] {
                spec[key] = spec[key]?.arrayValue.map { list in
                    .array(
                        list.map { item in
                            var item = item
                            item["image"] = nil
                            item["imagePullPolicy"] = nil
                            return item
                        })
                }
            }
            return spec
        }
        if frozen(before) == frozen(after) { return [] }
        return [
            FieldProblem(
                kind: .forbidden, path: "spec",
                detail:
                    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
            )
        ]
    }

    private static func workload(_ object: JSONValue, _ old: JSONValue?) -> [FieldProblem] {
        var found: [FieldProblem] = []
        guard let selector = object[path: "spec", "selector"] else { return [.required("spec.selector")] }
        if object.int("spec", "replicas") < 0 {
            found.append(
                .invalid("spec.replicas", object[path: "spec", "replicas"] ?? 0, "must be greater than or equal to 0"))
        }
        let labels = object[path: "spec", "template", "metadata", "labels"]
        let own = labels?.objectValue?.compactMapValues(\.stringValue) ?? [:]
        if let parsed = try? selector.decode(LabelSelector.self), !parsed.matches(own) {
            found.append(
                .invalid("spec.template.metadata.labels", labels ?? [:], "`selector` does not match template `labels`"))
        }
        if let before = old?[path: "spec", "selector"], before != selector {
            found.append(.invalid("spec.selector", selector, "field is immutable"))
        }
        return found + podSpec(object[path: "spec", "template", "spec"] ?? [:], "spec.template.spec")
    }

    private static func service(_ object: JSONValue, _ old: JSONValue?) -> [FieldProblem] {
        var found: [FieldProblem] = []
        let ports = object[path: "spec", "ports"]?.arrayValue ?? []
        let address = object.string("spec", "clusterIP")
        if ports.isEmpty, object.string("spec", "type") != "ExternalName", address != "None" {
            found.append(.required("spec.ports"))
        }
        for (index, port) in ports.enumerated() {
            if !(1...65535).contains(port.int("port")) {
                found.append(
                    .invalid("spec.ports[\(index)].port", port["port"] ?? 0, "must be between 1 and 65535, inclusive"))
            }
            if ports.count > 1, port.string("name").isEmpty { found.append(.required("spec.ports[\(index)].name")) }
        }
        let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
        if !types.contains(object.string("spec", "type")) {
            found.append(
                FieldProblem(
                    kind: .notSupported(object[path: "spec", "type"] ?? "", types), path: "spec.type", detail: ""))
        }
        if let before = old?.string("spec", "clusterIP"), !before.isEmpty, !address.isEmpty, before != address {
            found.append(.invalid("spec.clusterIPs[0]", .string(address), "may not change once set"))
        }
        return found
    }
}
