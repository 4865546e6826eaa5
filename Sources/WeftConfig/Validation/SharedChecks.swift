import WeftCore

/// Checks of names, values and lists that several kinds have in common.
extension Findings {
    /// Who may see the object: `.`, `*` or namespaces, each once; `*` and `~` stand alone.
    /// - Parameter hidden: whether `~` is allowed: only a ServiceEntry may be seen by nobody.
    mutating func exportTo(_ values: [String]?, _ path: String, hidden: Bool = false) {
        let own = resource.namespace
        var seen: Set<String> = []
        for (index, value) in (values ?? []).enumerated() {
            let place = "\(path)[\(index)]"
            if value == "~", !hidden {
                error(
                    place, "exportTo ~ (none) is not allowed for this kind",
                    hint: "write . to keep it to its namespace, or delete the object")
            } else if ![".", "*", "~"].contains(value), !Names.isLabel(Substring(value)) {
                error(place, "exportTo \"\(value)\" must be ., * or the name of a namespace")
            }
            if !seen.insert(value == "." ? own : value).inserted {
                error(place, "duplicate entries in exportTo: \(value)")
            }
        }
        guard (values ?? []).count > 1 else { return }
        if seen.contains("*") { error(path, "cannot have both public (*) and non-public exportTo values") }
        if seen.contains("~") { error(path, "cannot export to no one (~) and someone") }
    }

    /// A selector without labels selects all, which is seldom meant.
    mutating func selector(_ labels: [String: String]?, isGiven: Bool, _ path: String) {
        self.labels(labels, path)
        if isGiven, (labels ?? [:]).isEmpty {
            warning(path, "workload selector specified without labels: it selects every workload of the namespace")
        }
    }

    /// `NAME`, `NAMESPACE/NAME`, or the older `NAME.NAMESPACE.svc.DOMAIN`.
    mutating func gateways(_ names: [String]?, _ path: String) {
        for (index, name) in (names ?? []).enumerated() {
            let place = "\(path)[\(index)]"
            let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                if name.contains(".") {
                    warning(place, "\(name) is the older form of a gateway's name", hint: "write NAMESPACE/NAME")
                }
                host(name, place, wildcard: false)
                continue
            }
            // The namespace of the rule itself may be written as a dot.
            if parts[0] != ".", !Names.isLabel(parts[0]) {
                error(place, "invalid value for namespace of gateway \(name): \"\(parts[0])\"")
            }
            if !Names.isLabel(parts[1]) { error(place, "invalid value for gateway name: \"\(parts[1])\"") }
        }
    }

    /// What a header may be set to: no control characters, and percent signs around a command operator that there is, or
    /// two for one (Envoy's "Custom request/response headers"). Envoy refuses a whole route table for another.
    mutating func headerValue(_ value: String, _ path: String) {
        if value.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) {
            return error(path, "header value has a control character")
        }
        format(value, path, "header value")
    }

    /// A text with command operators (Envoy's "Access log operators"), read by the parser of the proxies.
    mutating func format(_ text: String, _ path: String, _ what: String) {
        do throws(FormatError) { _ = try FormatTemplate(text) } catch {
            self.error(
                path, "\(what) is no format string: \(error)",
                hint: "write %% for a percent sign; operators are those of Envoy's access logs")
        }
    }

    /// The name of a port, as Kubernetes has it.
    mutating func portName(_ name: String?, _ path: String, required: Bool = true) {
        guard let name, !name.isEmpty else {
            if required { error(path, "name is required") }
            return
        }
        if !Names.isLabel(Substring(name)) { error(path, "invalid port name: \(name)") }
    }

    /// A protocol that a port may be declared with; none means that it is found out from the bytes.
    mutating func portProtocol(_ name: String?, _ path: String) {
        guard let name, !name.isEmpty, !Self.protocols.contains(name.uppercased()) else { return }
        error(
            path, "unsupported protocol: \(name)", hint: "known are \(Self.protocols.sorted().joined(separator: ", "))")
    }

    private static let protocols: Set = [
        "HTTP", "HTTP2", "HTTPS", "HTTP_PROXY", "GRPC", "GRPC-WEB", "TCP", "TLS", "UDP", "MONGO", "REDIS", "MYSQL",
    ]
}
