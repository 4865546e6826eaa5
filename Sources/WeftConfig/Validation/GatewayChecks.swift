import WeftCore

/// Checks of Gateways.
enum GatewayChecks {
    private static let protocols: Set = [
        "HTTP", "HTTPS", "GRPC", "GRPC-WEB", "HTTP2", "MONGO", "MYSQL", "REDIS", "TCP", "TLS",
    ]

    static func check(_ spec: Gateway, _ findings: inout Findings) {
        let servers = spec.servers ?? []
        if servers.isEmpty { findings.error("spec.servers", "gateway must have at least one server") }
        if !Names.isLabel(Substring(findings.resource.name)) {
            findings.error(
                "metadata.name", "invalid gateway name: \"\(findings.resource.name)\"", hint: "names have no dots")
        }
        findings.labels(spec.selector, "spec.selector")
        if (spec.selector ?? [:]).isEmpty {
            findings.warning("spec.selector", "gateway selector is not specified: it applies to every gateway")
        }
        var names: Set<String> = []
        for (index, server) in servers.enumerated() {
            let path = "spec.servers[\(index)]"
            check(server, path, &findings)
            guard let name = server.port?.name, !name.isEmpty, !names.insert(name).inserted else { continue }
            findings.error("\(path).port.name", "port names in servers must be unique: duplicate name \(name)")
        }
    }

    private static func check(_ server: Gateway.Server, _ path: String, _ findings: inout Findings) {
        GatewayServerChecks.check(server, path, &findings)
        if (server.hosts ?? []).isEmpty {
            findings.error("\(path).hosts", "server config must contain at least one host")
        }
        for (index, text) in (server.hosts ?? []).enumerated() {
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, parts[0] != "*", parts[0] != ".", !Names.isLabel(parts[0]) {
                findings.error("\(path).hosts[\(index)]", "namespace \"\(parts[0])\" of host \(text) is invalid")
            }
            findings.host(String(parts.last ?? ""), "\(path).hosts[\(index)]")
        }
        guard let port = server.port else { return findings.error("\(path).port", "port is required") }
        if server.bind?.hasPrefix("unix://") != true || port.number != 0 {
            findings.port(port.number, "\(path).port.number")
        }
        let name = (port.protocol ?? "").uppercased()
        if !protocols.contains(name) {
            findings.error(
                "\(path).port.protocol",
                "invalid protocol \"\(port.protocol ?? "")\", supported protocols are \(protocols.sorted().joined(separator: ", "))"
            )
        }
        if (port.name ?? "").isEmpty {
            findings.error("\(path).port.name", "port name must be set: number \(port.number ?? 0)")
        }
        let secure = name == "HTTPS" || name == "TLS"
        if secure, server.tls == nil {
            findings.error("\(path).tls", "server must have TLS settings for HTTPS/TLS protocols")
        }
        if let tls = server.tls { check(tls, name: name, secure: secure, "\(path).tls", &findings) }
    }

    private static func check(
        _ tls: Gateway.ServerTLS, name: String, secure: Bool, _ path: String, _ findings: inout Findings
    ) {
        if !secure, tls.mode != nil || tls.credentialName != nil {
            findings.error(path, "server cannot have TLS settings for non HTTPS/TLS ports")
        }
        if tls.httpsRedirect == true, name != "HTTP", name != "HTTP2" {
            findings.error("\(path).httpsRedirect", "tls.httpsRedirect should only be used with http servers")
        }
        guard secure, tls.httpsRedirect != true else { return }
        if name == "HTTPS", tls.mode == .passthrough {
            findings.warning(
                "\(path).mode", "HTTPS server with PASSTHROUGH is routed by SNI, as TLS is: HTTP rules do not apply")
        }
        let sources = [
            tls.credentialName.map { [$0] }, tls.credentialNames, tls.tlsCertificates.map { _ in ["tlsCertificates"] },
        ].compactMap { $0 }
        if sources.count > 1 {
            findings.error(path, "only one of credentialName, credentialNames and tlsCertificates can be set")
        }
        switch tls.mode ?? .simple {
        case .passthrough, .autoPassthrough: break
        case .istioMutual:
            if !sources.isEmpty { findings.error(path, "ISTIO_MUTUAL TLS cannot have associated credentialName") }
            for (name, value) in [
                ("serverCertificate", tls.serverCertificate), ("privateKey", tls.privateKey),
                ("caCertificates", tls.caCertificates), ("caCrl", tls.caCrl),
            ] where !(value ?? "").isEmpty {
                findings.error(
                    "\(path).\(name)", "ISTIO_MUTUAL TLS cannot have associated \(name)",
                    hint: "the mesh's own certificates are used; choose MUTUAL for others")
            }
        case .simple, .mutual, .optionalMutual:
            for (index, certificate) in (tls.tlsCertificates ?? []).enumerated() {
                let place = "\(path).tlsCertificates[\(index)]"
                if (certificate.serverCertificate ?? "").isEmpty {
                    findings.error("\(place).serverCertificate", "TLS certificate requires a server certificate")
                }
                if (certificate.privateKey ?? "").isEmpty {
                    findings.error("\(place).privateKey", "TLS certificate requires a private key")
                }
            }
            guard sources.isEmpty else { break }
            if (tls.serverCertificate ?? "").isEmpty {
                findings.error(
                    "\(path).serverCertificate", "SIMPLE TLS requires a server certificate",
                    hint: "set credentialName to a Secret of the gateway's namespace")
            }
            if (tls.privateKey ?? "").isEmpty {
                findings.error("\(path).privateKey", "SIMPLE TLS requires a private key")
            }
            if tls.mode == .mutual, (tls.caCertificates ?? "").isEmpty {
                findings.error("\(path).caCertificates", "MUTUAL TLS requires a client CA bundle")
            }
        }
    }
}

/// Checks of ServiceEntries.
enum ServiceEntryChecks {
    private static let hostLimit = 256

    static func check(_ spec: ServiceEntry, _ findings: inout Findings) {
        if (spec.hosts ?? []).isEmpty { findings.error("spec.hosts", "service entry must have at least one host") }
        if let hosts = spec.hosts, hosts.count > hostLimit {
            findings.error(
                "spec.hosts", "service entry must have at most \(hostLimit) hosts, but has \(hosts.count)",
                hint: "write several ServiceEntries")
        }
        for (index, host) in (spec.hosts ?? []).enumerated() {
            if host == "*" {
                findings.error("spec.hosts[\(index)]", "invalid host *")
            } else {
                findings.host(host, "spec.hosts[\(index)]")
            }
        }
        let resolution = spec.resolution ?? .none
        if !(spec.endpoints ?? []).isEmpty, spec.workloadSelector != nil {
            findings.error("spec", "only one of WorkloadSelector or Endpoints is allowed in Service Entry")
        }
        if resolution == .none, !(spec.endpoints ?? []).isEmpty {
            findings.error("spec.endpoints", "no endpoints should be provided for resolution type none")
        }
        if resolution == .dnsRoundRobin, (spec.endpoints ?? []).count > 1 {
            findings.error("spec.endpoints", "there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN")
        }
        if resolution != .none, resolution != .static, (spec.addresses ?? []).contains(where: { $0.contains("/") }) {
            findings.error("spec.addresses", "CIDR addresses are allowed only for NONE/STATIC resolution types")
        }
        var names: Set<String> = []
        var numbers: Set<Int> = []
        for (index, port) in (spec.ports ?? []).enumerated() {
            findings.port(port.number, "spec.ports[\(index)].number")
            findings.portName(port.name, "spec.ports[\(index)].name")
            findings.portProtocol(port.protocol, "spec.ports[\(index)].protocol")
            if let name = port.name, !names.insert(name).inserted {
                findings.error("spec.ports[\(index)].name", "service entry port name \"\(name)\" already defined")
            }
            if let number = port.number, !numbers.insert(number).inserted {
                findings.error("spec.ports[\(index)].number", "service entry port \(number) already defined")
            }
        }
        findings.exportTo(spec.exportTo, "spec.exportTo", hidden: true)
        findings.selector(
            spec.workloadSelector?.labels, isGiven: spec.workloadSelector != nil, "spec.workloadSelector.labels")
        // HTTP names the host, and so does TLS; all else is told apart by its address alone.
        let nameless = (spec.ports ?? []).firstIndex { port in
            !["HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTP_PROXY", "HTTPS", "TLS"]
                .contains((port.protocol ?? "").uppercased())
        }
        if resolution != .none, (spec.hosts ?? []).count > 1, let nameless {
            findings.error(
                "spec.ports[\(nameless)].protocol", "multiple hosts provided with non-HTTP, non-TLS ports",
                hint: "write a ServiceEntry for each host, or declare the port's protocol")
        }
    }
}

/// Checks of Sidecars.
enum SidecarChecks {
    static func check(_ spec: Sidecar, _ findings: inout Findings) {
        findings.selector(
            spec.workloadSelector?.labels, isGiven: spec.workloadSelector != nil, "spec.workloadSelector.labels")
        for (index, egress) in (spec.egress ?? []).enumerated() {
            if (egress.hosts ?? []).isEmpty {
                findings.error("spec.egress[\(index)].hosts", "sidecar: egress listener must contain at least one host")
            }
            for (number, host) in (egress.hosts ?? []).enumerated() where host.split(separator: "/").count != 2 {
                findings.error(
                    "spec.egress[\(index)].hosts[\(number)]",
                    "sidecar: host must be of form namespace/dnsName, but is \(host)")
            }
        }
    }
}
