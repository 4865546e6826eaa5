/// Checks of WorkloadEntries, alone and as endpoints of a ServiceEntry.
enum WorkloadEntryChecks {
    static func check(_ spec: WorkloadEntry, _ findings: inout Findings) { check(spec, "spec", &findings) }

    /// - Parameter isTemplate: of a WorkloadGroup, which has no address.
    static func check(_ entry: WorkloadEntry, _ path: String, isTemplate: Bool = false, _ findings: inout Findings) {
        let address = entry.address ?? ""
        if isTemplate {
            if !address.isEmpty { findings.warning("\(path).address", "the address of a template is ignored") }
        } else if address.isEmpty, (entry.network ?? "").isEmpty {
            findings.error("\(path).address", "address is required")
        } else if address.hasPrefix("unix://") {
            let file = address.dropFirst("unix://".count)
            if !file.hasPrefix("/"), !file.hasPrefix("@") {
                findings.error("\(path).address", "\(address) is not an absolute path")
            } else if file.hasSuffix("/") {
                findings.error("\(path).address", "\(address) is a directory and no socket")
            }
            if !(entry.ports ?? [:]).isEmpty {
                findings.error("\(path).ports", "unix endpoint \(address) must not include ports")
            }
        } else if !address.isEmpty, !Addresses.isIP(address) {
            findings.host(address, "\(path).address", wildcard: false)
        }
        for (name, number) in (entry.ports ?? [:]).sorted(by: { $0.key < $1.key }) {
            findings.portName(name, "\(path).ports[\(name)]")
            findings.port(number, "\(path).ports[\(name)]")
        }
        findings.objectLabels(entry.labels, "\(path).labels")
        findings.count(entry.weight, "\(path).weight")
        let parts = (entry.locality ?? "").split(separator: "/", omittingEmptySubsequences: false)
        if parts.count > 3 { findings.error("\(path).locality", "locality must be of form region/zone/subzone") }
    }
}

/// Checks of WorkloadGroups.
enum WorkloadGroupChecks {
    static func check(_ spec: WorkloadGroup, _ findings: inout Findings) {
        guard let template = spec.template else {
            return findings.error("spec.template", "template is required")
        }
        WorkloadEntryChecks.check(template, "spec.template", isTemplate: true, &findings)
        findings.objectLabels(spec.metadata?.labels, "spec.metadata.labels")
        guard let probe = spec.probe else { return }
        let path = "spec.probe"
        let kinds = [probe.httpGet != nil, probe.tcpSocket != nil, probe.exec != nil, probe.grpc != nil]
        if kinds.filter({ $0 }).count != 1 {
            findings.error(path, "exactly one of httpGet, tcpSocket, exec and grpc is required")
        }
        for (name, value) in [
            ("initialDelaySeconds", probe.initialDelaySeconds), ("timeoutSeconds", probe.timeoutSeconds),
            ("periodSeconds", probe.periodSeconds), ("successThreshold", probe.successThreshold),
            ("failureThreshold", probe.failureThreshold),
        ] { findings.count(value, "\(path).\(name)") }
        if let get = probe.httpGet {
            findings.port(get.port, "\(path).httpGet.port")
            if let scheme = get.scheme, !["", "HTTP", "HTTPS"].contains(scheme.uppercased()) {
                findings.error("\(path).httpGet.scheme", "httpGet.scheme must be one of http, https")
            }
            for (index, header) in (get.httpHeaders ?? []).enumerated() {
                let name = header.name ?? ""
                if name.isEmpty {
                    findings.error("\(path).httpGet.httpHeaders[\(index)].name", "invalid nil header")
                } else if !Names.isHeader(name) {
                    findings.error(
                        "\(path).httpGet.httpHeaders[\(index)].name", "\"\(name)\" is not a header's name",
                        hint: "names have letters, digits, - and _")
                }
            }
        }
        if let socket = probe.tcpSocket { findings.port(socket.port, "\(path).tcpSocket.port") }
        if let call = probe.grpc { findings.port(call.port, "\(path).grpc.port") }
        if let exec = probe.exec, (exec.command ?? []).isEmpty {
            findings.error("\(path).exec.command", "exec.command is required")
        }
    }
}

/// Checks of ProxyConfigs.
enum ProxyConfigChecks {
    static func check(_ spec: ProxyConfig, _ findings: inout Findings) {
        findings.labels(spec.selector?.matchLabels, "spec.selector.matchLabels")
        findings.count(spec.concurrency, "spec.concurrency")
        for name in (spec.environmentVariables ?? [:]).keys.sorted() where name.isEmpty || name.contains("=") {
            findings.error(
                "spec.environmentVariables[\(name)]", "\"\(name)\" is no name of an environment variable",
                hint: "no pod with it would be admitted; names are not empty and have no =")
        }
        if let type = spec.image?.imageType, !type.isEmpty, type != "default" {
            findings.warning(
                "spec.image.imageType", "image type \(type) has no effect: there is one image of the proxy",
                hint: "name an image with the annotation sidecar.istio.io/proxyImage")
        }
    }
}

/// More checks of ServiceEntries, beside those of their fields one by one.
enum ServiceEntryRules {
    static func check(_ spec: ServiceEntry, _ findings: inout Findings) {
        let resolution = spec.resolution ?? .none
        for (index, address) in (spec.addresses ?? []).enumerated() where !Addresses.isRange(address) {
            findings.error("spec.addresses[\(index)]", "\(address) is not a valid IP address or range")
        }
        for (index, endpoint) in (spec.endpoints ?? []).enumerated() {
            let path = "spec.endpoints[\(index)]"
            WorkloadEntryChecks.check(endpoint, path, &findings)
            let address = endpoint.address ?? ""
            if resolution == .static, !address.isEmpty, !address.hasPrefix("unix://"), !Addresses.isIP(address) {
                findings.error(
                    "\(path).address", "invalid IP address \(address) for resolution STATIC", hint: "use resolution DNS"
                )
            }
            if resolution == .dns || resolution == .dnsRoundRobin, address.hasPrefix("unix://") {
                findings.error("\(path).address", "endpoint \(address) must not be a Unix socket with resolution DNS")
            }
            if resolution == .static, address.hasPrefix("unix://"), (spec.ports ?? []).count != 1 {
                findings.error("\(path).address", "exactly 1 service port required for unix endpoints")
            }
            let names = Set((spec.ports ?? []).compactMap(\.name))
            for name in (endpoint.ports ?? [:]).keys.sorted() where !names.contains(name) {
                findings.error("\(path).ports[\(name)]", "endpoint port \(name) is not defined by the service entry")
            }
        }
        let wildcards = (spec.hosts ?? []).filter { $0.hasPrefix("*") }
        if !wildcards.isEmpty, resolution == .dns || resolution == .dnsRoundRobin, (spec.endpoints ?? []).isEmpty {
            findings.error(
                "spec.hosts", "hosts must be FQDN if no endpoints are provided for resolution mode DNS",
                hint: "use resolution DYNAMIC_DNS, or NONE")
        }
        if resolution == .dynamicDNS {
            if !(spec.endpoints ?? []).isEmpty {
                findings.error("spec.endpoints", "no endpoints should be provided for resolution type DYNAMIC_DNS")
            }
            for host in spec.hosts ?? [] where !host.hasPrefix("*") {
                findings.error("spec.hosts", "resolution DYNAMIC_DNS is for wildcard hosts, and \(host) is none")
            }
            for (index, port) in (spec.ports ?? []).enumerated()
            where !["HTTP", "HTTP2", "GRPC", "HTTPS", "TLS"].contains((port.protocol ?? "").uppercased()) {
                findings.error("spec.ports[\(index)].protocol", "DYNAMIC_DNS needs HTTP, which names the host")
            }
        }
        for (index, port) in (spec.ports ?? []).enumerated() {
            if let target = port.targetPort { findings.port(target, "spec.ports[\(index)].targetPort") }
            if resolution == .none, let target = port.targetPort, target != port.number {
                findings.warning("spec.ports[\(index)].targetPort", "targetPort has no effect with resolution NONE")
            }
            let isTCP = ["", "TCP"].contains((port.protocol ?? "").uppercased())
            if isTCP, (spec.addresses ?? []).isEmpty, resolution == .none {
                findings.warning(
                    "spec.addresses",
                    "TCP port \(port.number ?? 0) without addresses takes every connection to that port")
            }
        }
    }
}

/// More checks of Sidecars.
enum SidecarRules {
    static func check(_ spec: Sidecar, _ findings: inout Findings) {
        var ports: Set<Int> = []
        var sockets: Set<String> = []
        if let pool = spec.inboundConnectionPool {
            DestinationRuleChecks.check(pool, "spec.inboundConnectionPool", &findings)
        }
        for (index, egress) in (spec.egress ?? []).enumerated() {
            let path = "spec.egress[\(index)]"
            let isSocket = egress.bind?.hasPrefix("unix://") == true
            if egress.port == nil, index != (spec.egress ?? []).count - 1 {
                findings.error("\(path).port", "sidecar: only one egress listener may have no port, the last one")
            }
            if let number = egress.port?.number, number != 0, !ports.insert(number).inserted {
                findings.error("\(path).port.number", "sidecar: ports on IP bound listeners must be unique: \(number)")
            }
            if isSocket, let bind = egress.bind, !sockets.insert(bind).inserted {
                findings.error("\(path).bind", "sidecar: unix domain socket values for listeners must be unique")
            }
            findings.portName(egress.port?.name, "\(path).port.name", required: false)
            findings.portProtocol(egress.port?.protocol, "\(path).port.protocol")
            hosts(egress.hosts ?? [], "\(path).hosts", &findings)
            if isSocket, egress.captureMode == "IPTABLES" {
                findings.error("\(path).captureMode", "sidecar: captureMode must be NONE or DEFAULT with a Unix socket")
            }
            if egress.port == nil, !(egress.bind ?? "").isEmpty, isSocket {
                findings.error("\(path).port", "sidecar: port is required when bind is a Unix socket")
            }
            if let bind = egress.bind, !bind.isEmpty, !isSocket, !Addresses.isIP(bind) {
                findings.error("\(path).bind", "sidecar: \(bind) is no IP address or unix:// path")
            }
            if let number = egress.port?.number, !(isSocket && number == 0) {
                findings.port(number, "\(path).port.number")
            }
        }
        ingress(spec, &findings)
        if (spec.ingress ?? []).isEmpty, (spec.egress ?? []).isEmpty, spec.outboundTrafficPolicy == nil,
            spec.inboundConnectionPool == nil
        {
            findings.error("spec", "sidecar: empty configuration provided")
        }
        if let proxy = spec.outboundTrafficPolicy?.egressProxy {
            if spec.outboundTrafficPolicy?.mode == .registryOnly {
                findings.error("spec.outboundTrafficPolicy.egressProxy", "egressProxy is used with ALLOW_ANY only")
            }
            let path = "spec.outboundTrafficPolicy.egressProxy.host"
            if (proxy.host ?? "").isEmpty {
                findings.error(path, "host is required")
            } else {
                findings.host(proxy.host ?? "", path, wildcard: false)
            }
            if proxy.port == nil {
                findings.error("spec.outboundTrafficPolicy.egressProxy.port", "egress proxy port is required")
            }
        }
    }

    /// `NAMESPACE/HOST`; what another one of the list has already is told.
    private static func hosts(_ hosts: [String], _ path: String, _ findings: inout Findings) {
        var seen: [(namespace: Substring, host: Substring)] = []
        for (index, text) in hosts.enumerated() {
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            let namespace = parts[0].hasPrefix("~") ? parts[0].dropFirst() : parts[0]
            if !["", ".", "*"].contains(namespace), !Names.isLabel(namespace) {
                findings.error("\(path)[\(index)]", "invalid namespace \"\(namespace)\" of \(text)")
            }
            findings.host(String(parts[1]), "\(path)[\(index)]")
            // An exclusion takes away from what the others name.
            guard parts[0] == "~" || !parts[0].hasPrefix("~") else { continue }
            if seen.contains(where: {
                $0.namespace == parts[0] && ($0.host == parts[1] || $0.host == "*" || parts[1] == "*")
            }) {
                findings.warning("\(path)[\(index)]", "duplicated egress host: \(text)")
            }
            seen.append((parts[0], parts[1]))
        }
        if hosts.contains("*/*"), hosts.contains(where: { $0 != "*/*" && !$0.hasPrefix("~") }) {
            findings.warning(path, "`*/*` host select all resources, no other hosts can be added")
        }
    }

    private static func ingress(_ spec: Sidecar, _ findings: inout Findings) {
        var ports: Set<Int> = []
        for (index, entry) in (spec.ingress ?? []).enumerated() {
            let path = "spec.ingress[\(index)]"
            findings.port(entry.port?.number, "\(path).port.number")
            if let number = entry.port?.number, !ports.insert(number).inserted {
                findings.error("\(path).port.number", "sidecar: ports on IP bound listeners must be unique: \(number)")
            }
            findings.portName(entry.port?.name, "\(path).port.name", required: false)
            findings.portProtocol(entry.port?.protocol, "\(path).port.protocol")
            if let bind = entry.bind, !bind.isEmpty, !Addresses.isIP(bind) {
                findings.error("\(path).bind", "sidecar: \(bind) is no IP address")
            }
            if let pool = entry.connectionPool {
                DestinationRuleChecks.check(pool, "\(path).connectionPool", &findings)
            }
            if let endpoint = entry.defaultEndpoint, !endpoint.isEmpty, !isEndpoint(endpoint) {
                findings.error(
                    "\(path).defaultEndpoint",
                    "sidecar: \(endpoint) must be of form 127.0.0.1:PORT, [::1]:PORT, 0.0.0.0:PORT, [::]:PORT or unix:///PATH"
                )
            }
            guard let tls = entry.tls else { continue }
            if tls.mode != .simple, tls.mode != .mutual {
                findings.error("\(path).tls.mode", "sidecar: tls mode must be SIMPLE or MUTUAL")
            }
            if (tls.serverCertificate ?? "").isEmpty || (tls.privateKey ?? "").isEmpty {
                findings.error(
                    "\(path).tls", "sidecar: tls needs the files serverCertificate and privateKey",
                    hint: "credentialName is for gateways")
            }
        }
    }

    private static func isEndpoint(_ text: String) -> Bool {
        if text.hasPrefix("unix://") {
            return text.dropFirst("unix://".count).hasPrefix("/") || text.hasPrefix("unix://@")
        }
        return ["127.0.0.1:", "[::1]:", "0.0.0.0:", "[::]:"].contains { prefix in
            text.hasPrefix(prefix) && Int(text.dropFirst(prefix.count)).map { (1...65_535).contains($0) } == true
        }
    }
}

/// What addresses may look like.
package enum Addresses {
    static func isIP(_ text: String) -> Bool { isIPv4(text) || isIPv6(text) }

    /// An address, or one with a prefix length.
    package static func isRange(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard let address = parts.first, isIP(address), parts.count <= 2 else { return false }
        return parts.count == 1 || Int(parts[1]).map { (0...(isIPv4(address) ? 32 : 128)).contains($0) } == true
    }

    private static func isIPv4(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { $0.utf8.count <= 3 && UInt8($0) != nil && !$0.hasPrefix("+") }
    }

    private static func isIPv6(_ text: String) -> Bool {
        guard text.contains(":"), text.firstRange(of: ":::") == nil else { return false }
        let isShort = text.contains("::")
        let groups = text.split(separator: ":", omittingEmptySubsequences: true)
        let isHex = groups.allSatisfy { $0.utf8.count <= 4 && $0.allSatisfy(\.isHexDigit) }
        return isHex && (isShort ? groups.count <= 7 : groups.count == 8)
    }
}
