/// Rules for Gateways and ListenerSets that concern several fields together.
enum GatewayListenerChecks {
    static func check(_ gateway: GatewayAPI.Gateway, _ findings: inout Findings) {
        if gateway.gatewayClassName.isEmpty { findings.error("spec.gatewayClassName", "must not be empty") }
        check(listeners: gateway.listeners, &findings)
        let addresses = gateway.addresses ?? []
        if addresses.count > 16 { findings.error("spec.addresses", "at most 16 addresses are allowed") }
        for (index, address) in addresses.enumerated() where !(address.value ?? "").isEmpty {
            let path = "spec.addresses[\(index)].value"
            let isRepeated = addresses.prefix(index).contains {
                $0.effectiveType == address.effectiveType && $0.value == address.value
            }
            if isRepeated { findings.error(path, "\(address.effectiveType) \(address.value ?? "") is given twice") }
            if address.effectiveType == "Hostname" { findings.host(address.value ?? "", path) }
        }
        var ports: Set<Int> = []
        for (index, entry) in (gateway.tls?.frontend?.perPort ?? []).enumerated() {
            let path = "spec.tls.frontend.perPort[\(index)].port"
            findings.port(entry.port, path)
            if !ports.insert(entry.port).inserted { findings.error(path, "port \(entry.port) is given twice") }
        }
        for (key, _) in (gateway.infrastructure?.labels ?? [:]).sorted(by: { $0.key < $1.key }) where key.isEmpty {
            findings.error("spec.infrastructure.labels", "labels cannot have an empty key")
        }
    }

    static func check(_ set: GatewayAPI.ListenerSet, _ findings: inout Findings) {
        if set.parentRef.name.isEmpty { findings.error("spec.parentRef.name", "must not be empty") }
        check(listeners: set.listeners, &findings)
    }

    private static func check(listeners: [GatewayAPI.Listener]?, _ findings: inout Findings) {
        let listeners = listeners ?? []
        if listeners.isEmpty { findings.error("spec.listeners", "at least one listener is required") }
        if listeners.count > 64 {
            findings.error(
                "spec.listeners", "at most 64 listeners are allowed", hint: "put more of them into ListenerSets")
        }
        for (index, listener) in listeners.enumerated() {
            let path = "spec.listeners[\(index)]"
            check(listener, path, &findings)
            for other in listeners.prefix(index) {
                if other.name == listener.name {
                    findings.error("\(path).name", "listener name \(listener.name) is given twice")
                }
                if other.port == listener.port, other.protocol == listener.protocol,
                    other.effectiveHostname == listener.effectiveHostname
                {
                    findings.error(
                        path, "port, protocol and hostname together are those of listener \(other.name) already")
                }
            }
        }
    }

    private static func check(_ listener: GatewayAPI.Listener, _ path: String, _ findings: inout Findings) {
        findings.port(listener.port, "\(path).port")
        if !Names.isLabel(Substring(listener.name.filter { $0 != "." })) {
            findings.error("\(path).name", "\"\(listener.name)\" is not a name: use letters, digits and dashes")
        }
        if let hostname = listener.effectiveHostname {
            if ["TCP", "UDP"].contains(listener.protocol) {
                findings.error("\(path).hostname", "hostname must not be given for protocol \(listener.protocol)")
            }
            findings.gatewayHost(hostname, "\(path).hostname")
        }
        guard let tls = listener.tls else {
            if listener.protocol == "TLS" {
                findings.error("\(path).tls", "tls with a mode is required for protocol TLS")
            }
            return
        }
        if ["HTTP", "TCP", "UDP"].contains(listener.protocol) {
            return findings.error("\(path).tls", "tls must not be given for protocol \(listener.protocol)")
        }
        if listener.protocol == "HTTPS", tls.mode == .passthrough {
            findings.error("\(path).tls.mode", "protocol HTTPS ends TLS at the gateway: mode must be Terminate")
        }
        if listener.protocol == "TLS", tls.mode == nil {
            findings.error("\(path).tls.mode", "mode is required for protocol TLS: Terminate or Passthrough")
        }
        if tls.mode != .passthrough, tls.certificateRefs?.isEmpty ?? true, tls.options?.isEmpty ?? true {
            findings.error("\(path).tls.certificateRefs", "a certificate is required where TLS ends at the gateway")
        }
    }
}

extension Findings {
    /// A host name as the Gateway API has it: no address, a wildcard only as the whole first label.
    mutating func gatewayHost(_ value: String, _ path: String) {
        let labels = value.split(separator: ".", omittingEmptySubsequences: false)
        if labels.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isNumber) }) || value.contains(":") {
            return error(path, "\"\(value)\" is an address: hostnames must be names")
        }
        if value == "*" { return error(path, "\"*\" is no hostname: leave the field out to match every host") }
        if value.dropFirst().contains("*") || (value.hasPrefix("*") && !value.hasPrefix("*.")) {
            return error(path, "\"\(value)\": a wildcard must be the whole first label, as in *.example.com")
        }
        host(value, path)
    }
}
