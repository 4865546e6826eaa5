package import WeftConfig
import WeftCore

/// The environment of a container: sources resolved, `$(VAR)` expanded. Pure but for the look-up that it is given.
package struct PodEnvironment {
    let pod: KubernetesObject
    let spec: PodSpec
    let address: String

    package init(pod: KubernetesObject, spec: PodSpec, address: String) {
        self.pod = pod
        self.spec = spec
        self.address = address
    }

    /// Text values by key of a ConfigMap or Secret, or `nil` when the object does not exist.
    package typealias Lookup = (_ kind: String, _ name: String) async -> [String: String]?

    package func variables(_ container: Container, lookup: Lookup) async throws -> [(name: String, value: String)] {
        var order: [String] = []
        var known: [String: String] = [:]
        func set(_ name: String, _ value: String) {
            if known.updateValue(value, forKey: name) == nil { order.append(name) }
        }
        set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:\(ImageCatalogue.mountPoint)")
        set("HOSTNAME", spec.hostname ?? pod.name)
        set("HOME", "/root")
        set("KUBERNETES_SERVICE_HOST", NodeAddress.apiService)
        set("KUBERNETES_SERVICE_PORT", "443")
        set("KUBERNETES_SERVICE_PORT_HTTPS", "443")
        set("KUBERNETES_PORT", "tcp://\(NodeAddress.apiService):443")
        for source in container.envFrom ?? [] {
            for (kind, reference) in [("ConfigMap", source.configMapRef), ("Secret", source.secretRef)] {
                guard let reference, let name = reference.name else { continue }
                guard let values = await lookup(kind, name) else {
                    if reference.optional == true { continue }
                    throw missing(kind, name)
                }
                for (key, value) in values.sorted(by: { $0.key < $1.key }) { set((source.prefix ?? "") + key, value) }
            }
        }
        for variable in container.env ?? [] {
            if let source = variable.valueFrom {
                if let value = try await resolve(source, container, lookup) { set(variable.name, value) }
            } else {
                set(variable.name, Self.expand(variable.value ?? "", known))
            }
        }
        return order.map { ($0, known[$0] ?? "") }
    }

    private func missing(_ kind: String, _ name: String) -> RuntimeError {
        RuntimeError("\(kind.lowercased()) \"\(name)\" not found", reason: "CreateContainerConfigError")
    }

    private func resolve(_ source: EnvironmentVariable.Source, _ container: Container, _ lookup: Lookup) async throws
        -> String?
    {
        if let field = source.fieldRef { return self.field(field.fieldPath) ?? "" }
        if let resource = source.resourceFieldRef { return self.resource(resource, container) }
        for (kind, reference) in [("ConfigMap", source.configMapKeyRef), ("Secret", source.secretKeyRef)] {
            guard let reference, let name = reference.name else { continue }
            let values = await lookup(kind, name)
            if let value = values?[reference.key] { return value }
            if reference.optional == true { return nil }
            guard values != nil else { throw missing(kind, name) }
            throw RuntimeError(
                "couldn't find key \(reference.key) in \(kind) \(pod.namespace)/\(name)",
                reason: "CreateContainerConfigError")
        }
        return nil
    }

    /// A field of the pod, as the downward API names it.
    package func field(_ path: String) -> String? {
        switch path {
        case "metadata.name": return pod.name
        case "metadata.namespace": return pod.namespace
        case "metadata.uid": return pod.uid
        case "metadata.labels": return Self.lines(pod.labels)
        case "metadata.annotations": return Self.lines(pod.annotations)
        case "spec.nodeName": return NodeAddress.nodeName
        case "spec.serviceAccountName": return spec.serviceAccountName ?? "default"
        case "status.podIP", "status.podIPs": return address
        case "status.hostIP", "status.hostIPs": return NodeAddress.gateway
        default: break
        }
        for (prefix, values) in [("metadata.labels['", pod.labels), ("metadata.annotations['", pod.annotations)]
        where path.hasPrefix(prefix) && path.hasSuffix("']") {
            return values[String(path.dropFirst(prefix.count).dropLast(2))] ?? ""
        }
        return nil
    }

    private static func lines(_ values: [String: String]) -> String {
        values.sorted { $0.key < $1.key }.map { "\($0.key)=\(JSONValue.string($0.value).text())" }.joined(
            separator: "\n")
    }

    /// Limits and requests in the unit of the divisor; without a limit, what the node has.
    package func resource(_ reference: ResourceFieldReference, _ container: Container) -> String {
        let owner = reference.containerName.flatMap { name in spec.containers.first { $0.name == name } } ?? container
        let parts = reference.resource.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return "" }
        let table = parts[0] == "limits" ? owner.resources?.limits : owner.resources?.requests
        let fallback = parts[0] == "requests" ? 0.0 : parts[1] == "cpu" ? 2.0 : 4e9
        let value = table?[parts[1]].flatMap(Self.quantity) ?? fallback
        let divisor = reference.divisor.flatMap(Self.quantity).flatMap { $0 == 0 ? nil : $0 } ?? 1
        return String(Int((value / divisor).rounded(.up)))
    }

    static func quantity(_ value: JSONValue) -> Double? {
        if let number = value.doubleValue { return number }
        guard let text = value.stringValue else { return nil }
        let units: [(String, Double)] = [
            ("Ki", 1024), ("Mi", 1_048_576), ("Gi", 1_073_741_824), ("Ti", 1_099_511_627_776), ("m", 0.001), ("k", 1e3),
            ("M", 1e6), ("G", 1e9), ("T", 1e12),
        ]
        for (suffix, factor) in units where text.hasSuffix(suffix) {
            return Double(text.dropLast(suffix.count)).map { $0 * factor }
        }
        return Double(text)
    }

    /// `$(NAME)` is replaced when NAME is known; `$$(NAME)` is an escape.
    package static func expand(_ text: String, _ known: [String: String]) -> String {
        var result = ""
        var rest = Substring(text)
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...].dropFirst()
            if rest.first == "$" {
                result += "$"
                rest = rest.dropFirst()
            } else if rest.first == "(", let end = rest.firstIndex(of: ")") {
                let name = String(rest[rest.index(after: rest.startIndex)..<end])
                result += known[name] ?? "$(\(name))"
                rest = rest[rest.index(after: end)...]
            } else {
                result += "$"
            }
        }
        return result + rest
    }
}
