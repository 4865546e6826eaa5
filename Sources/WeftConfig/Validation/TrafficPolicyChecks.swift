import WeftCore

/// Checks of the parts of a DestinationRule's policy that ``DestinationRuleChecks`` leaves out: what excludes what, what is
/// deprecated, and what cannot be obeyed.
enum TrafficPolicyChecks {
    static func check(_ policy: DestinationRule.TrafficPolicy, _ path: String, _ findings: inout Findings) {
        if policy == DestinationRule.TrafficPolicy() {
            findings.error(path, "traffic policy must have at least one field")
        }
        if policy.tunnel != nil, policy.proxyProtocol != nil {
            findings.error(path, "tunnel and proxyProtocol must not be set together")
        }
        if let balancer = policy.loadBalancer {
            check(balancer, hasOutliers: policy.outlierDetection != nil, "\(path).loadBalancer", &findings)
        }
        if let pool = policy.connectionPool { check(pool, "\(path).connectionPool", &findings) }
        if let outlier = policy.outlierDetection { check(outlier, "\(path).outlierDetection", &findings) }
        if let tls = policy.tls { check(tls, "\(path).tls", &findings) }
        for (index, level) in (policy.portLevelSettings ?? []).enumerated() {
            let path = "\(path).portLevelSettings[\(index)]"
            if level.loadBalancer == nil, level.connectionPool == nil, level.outlierDetection == nil, level.tls == nil {
                findings.error(path, "port traffic policy must have at least one field")
            }
            if let balancer = level.loadBalancer {
                check(balancer, hasOutliers: level.outlierDetection != nil, "\(path).loadBalancer", &findings)
            }
            if let pool = level.connectionPool { check(pool, "\(path).connectionPool", &findings) }
            if let outlier = level.outlierDetection { check(outlier, "\(path).outlierDetection", &findings) }
            if let tls = level.tls { check(tls, "\(path).tls", &findings) }
        }
        if let tunnel = policy.tunnel { check(tunnel, "\(path).tunnel", &findings) }
        if let budget = policy.retryBudget {
            findings.percent(budget.percent, "\(path).retryBudget.percent")
            findings.count(budget.minRetryConcurrency, "\(path).retryBudget.minRetryConcurrency")
            if budget.budgetInterval != nil {
                findings.warning(
                    "\(path).retryBudget.budgetInterval", "budgetInterval has no effect: what is open now counts")
            }
        }
        if let version = policy.proxyProtocol?.version, !["V1", "V2"].contains(version) {
            findings.error("\(path).proxyProtocol.version", "version must be V1 or V2, but is \(version)")
        }
    }

    // MARK: - Load balancing

    private static func check(
        _ balancer: DestinationRule.LoadBalancer, hasOutliers: Bool, _ path: String, _ findings: inout Findings
    ) {
        if let hash = balancer.consistentHash { check(hash, "\(path).consistentHash", &findings) }
        if balancer.simple == .leastConnections {
            findings.warning("\(path).simple", "LEAST_CONN is deprecated", hint: "use LEAST_REQUEST")
        }
        if balancer.warmupDurationSecs != nil {
            findings.warning(
                "\(path).warmupDurationSecs", "warmupDurationSecs is deprecated", hint: "use warmup.duration")
        }
        if let warmup = balancer.warmup {
            if warmup.duration == nil { findings.error("\(path).warmup.duration", "duration is required") }
            findings.percent(warmup.minimumPercent, "\(path).warmup.minimumPercent")
            if let aggression = warmup.aggression, aggression < 1 {
                findings.error("\(path).warmup.aggression", "aggression must be 1 or more, but is \(aggression)")
            }
        }
        let warms = balancer.warmup != nil || balancer.warmupDurationSecs != nil
        if warms, balancer.consistentHash != nil || balancer.simple == .random || balancer.simple == .passthrough {
            findings.warning(path, "warm-up has no effect here: only ROUND_ROBIN and LEAST_REQUEST have it")
        }
        if let locality = balancer.localityLbSetting {
            check(locality, hasOutliers: hasOutliers, "\(path).localityLbSetting", &findings)
        }
        if let zones = balancer.zoneAwareLbSetting {
            let path = "\(path).zoneAwareLbSetting"
            check(zones.failover ?? [], path, &findings)
            findings.count(zones.minClusterSize, "\(path).minClusterSize")
            if zones.enabled != false, balancer.localityLbSetting != nil {
                findings.warning(
                    path, "localityLbSetting has no effect beside zoneAwareLbSetting", hint: "keep one of them")
            }
            if zones.enabled != false, balancer.consistentHash != nil {
                findings.warning(path, "zones play no part with consistentHash: only the regions' order does")
            }
        }
    }

    private static func check(
        _ hash: DestinationRule.LoadBalancer.ConsistentHash, _ path: String, _ findings: inout Findings
    ) {
        if hash.ringHash != nil, hash.maglev != nil {
            findings.error(path, "only one of ringHash and maglev can be set")
        }
        if hash.minimumRingSize != nil, hash.ringHash != nil || hash.maglev != nil {
            findings.error(path, "only one of minimumRingSize and maglev or ringHash can be set")
        }
        if hash.minimumRingSize != nil {
            findings.warning(
                "\(path).minimumRingSize", "minimumRingSize is deprecated", hint: "use ringHash.minimumRingSize")
        }
        findings.count(hash.ringHash?.minimumRingSize, "\(path).ringHash.minimumRingSize")
        if let size = hash.maglev?.tableSize, size < 2 || size > 5_000_011 || !isPrime(size) {
            findings.error(
                "\(path).maglev.tableSize", "tableSize must be a prime number of at most 5000011, but is \(size)",
                hint: "65537 is the default")
        }
        findings.duration(hash.httpCookie?.ttl, "\(path).httpCookie.ttl", zeroAllowed: true)
        for (index, attribute) in (hash.httpCookie?.attributes ?? []).enumerated() {
            let (name, value) = (attribute.name ?? "", attribute.value ?? "")
            let place = "\(path).httpCookie.attributes[\(index)]"
            // RFC 6265 section 4.1.1: what would end the attribute, or the header.
            if name.isEmpty { findings.error("\(place).name", "an attribute needs a name") }
            for (field, text) in [("name", name), ("value", value)]
            where text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: ";") }) {
                findings.error("\(place).\(field)", "\"\(text)\" cannot stand in a cookie")
            }
        }
    }

    private static func isPrime(_ number: Int) -> Bool {
        guard number > 3 else { return number > 1 }
        var divisor = 2
        while divisor * divisor <= number {
            if number.isMultiple(of: divisor) { return false }
            divisor += 1
        }
        return true
    }

    private static func check(
        _ locality: DestinationRule.LoadBalancer.Locality, hasOutliers: Bool, _ path: String, _ findings: inout Findings
    ) {
        let (distribute, failover) = (locality.distribute ?? [], locality.failover ?? [])
        let priorities = locality.failoverPriority ?? []
        if !distribute.isEmpty, !failover.isEmpty || !priorities.isEmpty {
            findings.error(path, "can not simultaneously specify 'distribute' and 'failover' or 'failoverPriority'")
        }
        for (index, rule) in distribute.enumerated() {
            let sum = (rule.to ?? [:]).values.reduce(0) { sum, weight in
                let (total, overflows) = sum.addingReportingOverflow(weight)
                return overflows ? .max : total
            }
            if sum != 100 {
                findings.error(
                    "\(path).distribute[\(index)].to", "total locality weight is \(sum) and must be 100",
                    hint: "change the shares so that they sum to 100")
            }
            for (place, weight) in (rule.to ?? [:]).sorted(by: { $0.key < $1.key }) where weight <= 0 {
                findings.error("\(path).distribute[\(index)].to[\(place)]", "locality weight must be 1 to 100")
            }
        }
        overlaps(distribute.map { ($0.from ?? "") }, "\(path).distribute", &findings)
        for (index, rule) in distribute.enumerated() {
            overlaps((rule.to ?? [:]).keys.sorted(), "\(path).distribute[\(index)].to", &findings)
        }
        check(failover, path, &findings)
        if !failover.isEmpty || !priorities.isEmpty, !hasOutliers {
            findings.warning(
                path, "failover has no effect without outlierDetection in the same policy",
                hint: "add outlierDetection: {}")
        }
    }

    private static func check(
        _ failover: [DestinationRule.LoadBalancer.Locality.Failover], _ path: String, _ findings: inout Findings
    ) {
        for (index, rule) in failover.enumerated() {
            if rule.from == rule.to {
                findings.error(
                    "\(path).failover[\(index)]", "locality lb failover settings must specify different regions")
            }
            for region in [rule.from ?? "", rule.to ?? ""] where region.contains("*") || region.contains("/") {
                findings.error(
                    "\(path).failover[\(index)]", "failover is between regions, and \"\(region)\" is no region",
                    hint: "use failoverPriority for zones and subzones")
            }
        }
    }

    /// Two patterns of localities must not take the same place.
    private static func overlaps(_ places: [String], _ path: String, _ findings: inout Findings) {
        for (index, one) in places.enumerated() {
            let pieces = one.split(separator: "/", omittingEmptySubsequences: false)
            if pieces.contains("") {
                findings.error(path, "locality \"\(one)\" must not contain empty region/zone/subzone info")
            }
            if pieces.dropLast().contains("*") {
                findings.error(path, "locality \(one): a wildcard must be the last part")
            }
            for other in places[..<index] where covers(one, other) || covers(other, one) {
                findings.error(path, "locality \(one) overlaps with \(other)")
            }
        }
    }

    /// Whether each place of `inner` is one of `outer`: `a`, `a/*` and `*` take all below them.
    private static func covers(_ outer: String, _ inner: String) -> Bool {
        let outer = outer.split(separator: "/").filter { $0 != "*" }
        return inner.split(separator: "/").starts(with: outer)
    }

    // MARK: - Connections

    private static func check(_ pool: DestinationRule.ConnectionPool, _ path: String, _ findings: inout Findings) {
        findings.count(pool.http?.maxConcurrentStreams, "\(path).http.maxConcurrentStreams")
        findings.duration(pool.http?.http2KeepAlive?.interval, "\(path).http.http2KeepAlive.interval")
        findings.duration(pool.http?.http2KeepAlive?.timeout, "\(path).http.http2KeepAlive.timeout")
        findings.duration(pool.tcp?.tcpKeepalive?.time, "\(path).tcp.tcpKeepalive.time")
        findings.duration(pool.tcp?.tcpKeepalive?.interval, "\(path).tcp.tcpKeepalive.interval")
        findings.count(pool.tcp?.tcpKeepalive?.probes, "\(path).tcp.tcpKeepalive.probes")
    }

    private static func check(_ outlier: DestinationRule.OutlierDetection, _ path: String, _ findings: inout Findings) {
        for (index, code) in (outlier.outlierDetectionHttpErrorCodes ?? []).enumerated()
        where !(100...599).contains(code) {
            findings.error(
                "\(path).outlierDetectionHttpErrorCodes[\(index)]", "HTTP status must be 100 to 599, but is \(code)")
        }
    }

    private static func check(_ tls: DestinationRule.ClientTLS, _ path: String, _ findings: inout Findings) {
        let files = [tls.clientCertificate, tls.privateKey, tls.caCertificates].contains { !($0 ?? "").isEmpty }
        if !(tls.credentialName ?? "").isEmpty, files {
            findings.error(path, "cannot specify client certificates or CA certificate if credentialName is set")
        }
        if tls.insecureSkipVerify == true {
            let names = tls.subjectAltNames?.isEmpty == false
            if !(tls.caCertificates ?? "").isEmpty || names {
                findings.error(path, "cannot specify caCertificates or subjectAltNames when insecureSkipVerify is set")
            }
        }
        if !(tls.caCrl ?? "").isEmpty, (tls.caCertificates ?? "").isEmpty {
            findings.warning(
                "\(path).caCrl", "caCrl is checked against the system's authorities", hint: "set caCertificates")
        }
    }

    private static func check(_ tunnel: DestinationRule.Tunnel, _ path: String, _ findings: inout Findings) {
        if let name = tunnel.protocol, !name.isEmpty, !["CONNECT", "POST"].contains(name) {
            findings.error("\(path).protocol", "tunnel protocol must be \"CONNECT\" or \"POST\"")
        }
        if (tunnel.targetHost ?? "").isEmpty {
            findings.error("\(path).targetHost", "targetHost is required")
        } else {
            let host = tunnel.targetHost ?? ""
            if !Addresses.isIP(host) { findings.host(host, "\(path).targetHost", wildcard: false) }
        }
        findings.port(tunnel.targetPort, "\(path).targetPort")
    }
}

/// Checks of a Gateway's servers that ``GatewayChecks`` leaves out.
enum GatewayServerChecks {
    static func check(_ server: Gateway.Server, _ path: String, _ findings: inout Findings) {
        if !(server.defaultEndpoint ?? "").isEmpty {
            findings.warning(
                "\(path).defaultEndpoint", "defaultEndpoint has no effect", hint: "route with a VirtualService")
        }
        if server.port?.targetPort != nil {
            findings.warning(
                "\(path).port.targetPort", "targetPort has no effect: the gateway's Service says which port it is")
        }
        if server.bind?.hasPrefix("unix://") == true, let number = server.port?.number, number != 0 {
            findings.error("\(path).port.number", "port number must be 0 for unix domain socket, but is \(number)")
        }
        if let bind = server.bind, !bind.isEmpty, !bind.hasPrefix("unix://"),
            bind.contains("/") || !AddressRange.isValid(bind)
        {
            findings.error("\(path).bind", "bind must be an IP address or unix:///PATH, but is \(bind)")
        }
        if let tls = server.tls {
            check(tls, name: (server.port?.protocol ?? "").uppercased(), "\(path).tls", &findings)
        }
    }

    private static let order: [Gateway.ServerTLS.Version] = [.tls10, .tls11, .tls12, .tls13]

    private static func check(
        _ tls: Gateway.ServerTLS, name: String, _ path: String, _ findings: inout Findings
    ) {
        for (field, names) in [
            ("credentialNames", tls.credentialNames?.count), ("tlsCertificates", tls.tlsCertificates?.count),
        ]
        where (names ?? 0) > 2 {
            findings.error("\(path).\(field)", "at most two certificates are supported, one RSA and one ECDSA")
        }
        if tls.mode == .autoPassthrough, name != "TLS" {
            findings.error("\(path).mode", "AUTO_PASSTHROUGH needs protocol TLS, but the port is \(name)")
        }
        if let least = tls.minProtocolVersion.flatMap(order.firstIndex),
            let most = tls.maxProtocolVersion.flatMap(order.firstIndex), least > most
        {
            findings.error("\(path).minProtocolVersion", "minProtocolVersion is above maxProtocolVersion")
        }
        if tls.minProtocolVersion == .tls10 || tls.minProtocolVersion == .tls11 {
            findings.warning(
                "\(path).minProtocolVersion", "TLS below 1.2 is not secure, and the proxy has 1.2 as its lowest")
        }
        if tls.minProtocolVersion == .tls13, tls.cipherSuites?.isEmpty == false {
            findings.warning("\(path).cipherSuites", "cipherSuites have no effect on TLS 1.3")
        }
        if tls.mode == .passthrough || tls.mode == .autoPassthrough,
            [tls.credentialName, tls.serverCertificate, tls.privateKey, tls.caCertificates, tls.caCrl]
                .contains(where: { !($0 ?? "").isEmpty })
        {
            findings.warning(path, "\(tls.mode?.rawValue ?? "") mode does not use certificates, they will be ignored")
        }
        if !(tls.caCrl ?? "").isEmpty {
            if !(tls.credentialName ?? "").isEmpty {
                findings.error(
                    "\(path).caCrl",
                    "CRL is not supported with credentialName. CRL has to be specified in the credential")
            } else if tls.mode == .simple || tls.mode == nil {
                findings.error("\(path).caCrl", "CRL is not supported with SIMPLE TLS")
            }
        }
        suites(tls.cipherSuites ?? [], "\(path).cipherSuites", &findings)
        pins(tls, path, &findings)
        let verifies = tls.mode == .mutual || tls.mode == .optionalMutual || tls.mode == .istioMutual
        let pinned = tls.verifyCertificateSpki?.isEmpty == false || tls.verifyCertificateHash?.isEmpty == false
        if !verifies, tls.subjectAltNames?.isEmpty == false || pinned || tls.caCertCredentialName != nil {
            findings.warning(path, "clients' certificates are not asked for in this mode", hint: "set mode: MUTUAL")
        }
        if tls.mode == .optionalMutual, (tls.credentialName ?? "").isEmpty, tls.credentialNames?.isEmpty != false,
            (tls.caCertificates ?? "").isEmpty, (tls.caCertCredentialName ?? "").isEmpty
        {
            findings.error("\(path).caCertificates", "OPTIONAL_MUTUAL TLS requires a client CA bundle")
        }
    }

    /// As Istio has them: names of TLS 1.2 and older that Envoy knows.
    private static let ciphers: Set = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA", "DES-CBC3-SHA",
    ]

    private static func suites(_ names: [String], _ path: String, _ findings: inout Findings) {
        for (index, name) in names.enumerated() {
            if !ciphers.contains(name) {
                findings.warning("\(path)[\(index)]", "ignoring invalid cipher suite \(name)")
            } else if names[..<index].contains(name) {
                findings.warning("\(path)[\(index)]", "ignoring duplicate cipher suite \(name)")
            }
        }
    }

    private static func pins(_ tls: Gateway.ServerTLS, _ path: String, _ findings: inout Findings) {
        for (index, hash) in (tls.verifyCertificateHash ?? []).enumerated() {
            let digits = hash.replacing(":", with: "")
            guard digits.utf8.count != 64 || !digits.allSatisfy(\.isHexDigit) else { continue }
            findings.error("\(path).verifyCertificateHash[\(index)]", "must be a SHA-256 in hexadecimal, 64 digits")
        }
        for (index, hash) in (tls.verifyCertificateSpki ?? []).enumerated()
        where hash.utf8.count != 44 || !hash.hasSuffix("=") {
            findings.error("\(path).verifyCertificateSpki[\(index)]", "must be a SHA-256 in base64, 44 characters")
        }
    }
}
