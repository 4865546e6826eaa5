import WeftCore

/// Checks of DestinationRules.
enum DestinationRuleChecks {
    static func check(_ spec: DestinationRule, _ findings: inout Findings) {
        if (spec.host ?? "").isEmpty {
            findings.error("spec.host", "destination rule must have a host")
        } else {
            findings.host(spec.host ?? "", "spec.host")
        }
        findings.exportTo(spec.exportTo, "spec.exportTo")
        if let selector = spec.workloadSelector {
            let path = "spec.workloadSelector.matchLabels"
            findings.selector(selector.matchLabels, isGiven: true, path)
            let own = [".", findings.resource.namespace]
            if let others = spec.exportTo, !others.allSatisfy(own.contains) {
                findings.error(
                    "spec.exportTo",
                    "destination rule with workload selector cannot have exportTo beyond current namespace")
            }
        }
        if let policy = spec.trafficPolicy { check(policy, "spec.trafficPolicy", &findings) }
        var names: Set<String> = []
        for (index, subset) in (spec.subsets ?? []).enumerated() {
            let path = "spec.subsets[\(index)]"
            let name = subset.name ?? ""
            if name.isEmpty {
                findings.error("\(path).name", "subset name cannot be empty")
            } else if !Names.isLabel(Substring(name)) {
                findings.error(
                    "\(path).name", "subset name is invalid: \(name)", hint: "use letters, digits and dashes")
            } else if !names.insert(name).inserted {
                findings.error("\(path).name", "duplicate subset name: \(name)")
            }
            findings.objectLabels(subset.labels, "\(path).labels")
            if let policy = subset.trafficPolicy { check(policy, "\(path).trafficPolicy", &findings) }
        }
    }

    private static func check(_ policy: DestinationRule.TrafficPolicy, _ path: String, _ findings: inout Findings) {
        TrafficPolicyChecks.check(policy, path, &findings)
        check(policy.loadBalancer, policy.connectionPool, policy.outlierDetection, policy.tls, path, &findings)
        for (index, level) in (policy.portLevelSettings ?? []).enumerated() {
            let path = "\(path).portLevelSettings[\(index)]"
            findings.port(level.port?.number, "\(path).port.number")
            check(level.loadBalancer, level.connectionPool, level.outlierDetection, level.tls, path, &findings)
        }
    }

    private static func check(
        _ balancer: DestinationRule.LoadBalancer?, _ pool: DestinationRule.ConnectionPool?,
        _ outlier: DestinationRule.OutlierDetection?,
        _ tls: DestinationRule.ClientTLS?, _ path: String, _ findings: inout Findings
    ) {
        if let balancer { check(balancer, "\(path).loadBalancer", &findings) }
        if let pool { check(pool, "\(path).connectionPool", &findings) }
        if let outlier { check(outlier, "\(path).outlierDetection", &findings) }
        if let tls { check(tls, "\(path).tls", &findings) }
    }

    private static func check(_ balancer: DestinationRule.LoadBalancer, _ path: String, _ findings: inout Findings) {
        if balancer.simple != nil, balancer.consistentHash != nil {
            findings.error(path, "only one of simple and consistentHash may be set")
        }
        if let hash = balancer.consistentHash {
            let keys = [
                hash.httpHeaderName != nil, hash.httpCookie != nil, hash.useSourceIp == true,
                hash.httpQueryParameterName != nil,
            ]
            if keys.filter({ $0 }).count != 1 {
                findings.error(
                    "\(path).consistentHash",
                    "exactly one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName is required")
            }
            if let cookie = hash.httpCookie, (cookie.name ?? "").isEmpty {
                findings.error("\(path).consistentHash.httpCookie.name", "name required for HttpCookie")
            }
        }
        findings.duration(balancer.warmup?.duration, "\(path).warmup.duration")
    }

    static func check(_ pool: DestinationRule.ConnectionPool, _ path: String, _ findings: inout Findings) {
        if pool.tcp == nil, pool.http == nil { findings.error(path, "connection pool must have at least one field") }
        findings.count(pool.tcp?.maxConnections, "\(path).tcp.maxConnections")
        findings.duration(pool.tcp?.connectTimeout, "\(path).tcp.connectTimeout")
        findings.duration(pool.tcp?.maxConnectionDuration, "\(path).tcp.maxConnectionDuration")
        findings.duration(pool.tcp?.idleTimeout, "\(path).tcp.idleTimeout", zeroAllowed: true)
        findings.count(pool.http?.http1MaxPendingRequests, "\(path).http.http1MaxPendingRequests")
        findings.count(pool.http?.http2MaxRequests, "\(path).http.http2MaxRequests")
        findings.count(pool.http?.maxRequestsPerConnection, "\(path).http.maxRequestsPerConnection")
        findings.count(pool.http?.maxRetries, "\(path).http.maxRetries")
        findings.duration(pool.http?.idleTimeout, "\(path).http.idleTimeout", zeroAllowed: true)
        if pool.http?.h2UpgradePolicy == .upgrade, pool.http?.useClientProtocol == true {
            findings.error("\(path).http", "use client protocol must not be true when H2UpgradePolicy is UPGRADE")
        }
    }

    private static func check(_ outlier: DestinationRule.OutlierDetection, _ path: String, _ findings: inout Findings) {
        findings.duration(outlier.interval, "\(path).interval")
        findings.duration(outlier.baseEjectionTime, "\(path).baseEjectionTime")
        findings.percent(outlier.maxEjectionPercent.map(Double.init), "\(path).maxEjectionPercent")
        findings.percent(outlier.minHealthPercent.map(Double.init), "\(path).minHealthPercent")
        findings.count(outlier.consecutive5xxErrors, "\(path).consecutive5xxErrors")
        findings.count(outlier.consecutiveGatewayErrors, "\(path).consecutiveGatewayErrors")
        findings.count(outlier.consecutiveLocalOriginFailures, "\(path).consecutiveLocalOriginFailures")
        if outlier.consecutiveErrors != nil {
            findings.warning(
                "\(path).consecutiveErrors",
                "outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors"
            )
        }
        if outlier.consecutiveLocalOriginFailures != nil, outlier.splitExternalLocalOriginErrors != true {
            findings.error(
                "\(path).consecutiveLocalOriginFailures",
                "outlier detection consecutive local origin failures is specified, but split external local origin errors is set to false"
            )
        }
    }

    private static func check(_ tls: DestinationRule.ClientTLS, _ path: String, _ findings: inout Findings) {
        if tls.mode == .mutual, (tls.credentialName ?? "").isEmpty {
            if (tls.clientCertificate ?? "").isEmpty {
                findings.error("\(path).clientCertificate", "client certificate required for mutual tls")
            }
            if (tls.privateKey ?? "").isEmpty {
                findings.error("\(path).privateKey", "private key required for mutual tls")
            }
        }
        if tls.mode == .istioMutual {
            for (name, value) in [
                ("clientCertificate", tls.clientCertificate), ("privateKey", tls.privateKey),
                ("caCertificates", tls.caCertificates),
            ]
            where !(value ?? "").isEmpty {
                findings.error("\(path).\(name)", "ISTIO_MUTUAL TLS mode does not use \(name)")
            }
        }
    }
}
