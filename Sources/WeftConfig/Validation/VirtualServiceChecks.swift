/// Checks of VirtualServices.
enum VirtualServiceChecks {
    static func check(_ spec: VirtualService, _ findings: inout Findings) {
        let hosts = spec.hosts ?? []
        let isDelegate = hosts.isEmpty && (spec.gateways ?? []).isEmpty && !(spec.http ?? []).isEmpty
        if hosts.isEmpty, !isDelegate { findings.error("spec.hosts", "virtual service must have at least one host") }
        if isDelegate, (spec.http ?? []).contains(where: { $0.delegate != nil }) {
            findings.error("spec.http", "delegate virtual service cannot contain delegate")
        }
        let gateways = (spec.gateways ?? []).isEmpty ? ["mesh"] : spec.gateways ?? []
        let inMesh = gateways.contains("mesh") && !isDelegate
        for (index, host) in hosts.enumerated() {
            if !Addresses.isIP(host) { findings.host(host, "spec.hosts[\(index)]") }
            if host == "*", inMesh {
                findings.error(
                    "spec.hosts[\(index)]",
                    "wildcard host * is not allowed for virtual services bound to the mesh gateway")
            }
        }
        for (index, host) in hosts.enumerated() {
            guard let other = hosts[..<index].first(where: { haveNamesInCommon($0, host) }) else { continue }
            findings.error(
                "spec.hosts[\(index)]", "duplicate hosts in virtual service: \(other) & \(host)",
                hint: other == host ? nil : "give the hosts rules of their own: a wildcard covers the other")
        }
        findings.exportTo(spec.exportTo, "spec.exportTo")
        findings.gateways(spec.gateways, "spec.gateways")
        if hosts.isEmpty {
            for (name, isThere) in [("tls", !(spec.tls ?? []).isEmpty), ("tcp", !(spec.tcp ?? []).isEmpty)]
            where isThere {
                findings.error("spec.\(name)", "delegate virtual service must have no \(name) route specified")
            }
        }
        if (spec.http ?? []).isEmpty, (spec.tcp ?? []).isEmpty, (spec.tls ?? []).isEmpty {
            findings.error("spec", "http, tcp or tls must be provided in virtual service")
        }
        for (index, route) in (spec.http ?? []).enumerated() {
            check(route, "spec.http[\(index)]", &findings)
            VirtualServiceMatchChecks.check(
                route, inMesh: inMesh, "spec.http[\(index)]", &findings)
        }
        ConnectionRouteChecks.check(spec, &findings)
        for (index, route) in (spec.tcp ?? []).enumerated() {
            destinations(route.route ?? [], "spec.tcp[\(index)].route", &findings)
            for (number, match) in (route.match ?? []).enumerated() where match.port != nil {
                findings.port(match.port, "spec.tcp[\(index)].match[\(number)].port")
            }
        }
        for (index, route) in (spec.tls ?? []).enumerated() {
            destinations(route.route ?? [], "spec.tls[\(index)].route", &findings)
            if (route.match ?? []).isEmpty {
                findings.error("spec.tls[\(index)].match", "TLS route must have at least one match condition")
            }
            for (number, match) in (route.match ?? []).enumerated() where (match.sniHosts ?? []).isEmpty {
                findings.error(
                    "spec.tls[\(index)].match[\(number)].sniHosts", "TLS match must have at least one SNI host")
            }
        }
    }

    /// Whether some name is meant by both: they are the same, or one is a wildcard that covers the other.
    private static func haveNamesInCommon(_ left: String, _ right: String) -> Bool {
        let (left, right) = (left.lowercased(), right.lowercased())
        let (leftRest, rightRest) = (left.dropFirst(), right.dropFirst())
        switch (left.hasPrefix("*"), right.hasPrefix("*")) {
        case (false, false): return left == right
        case (true, false): return right.hasSuffix(leftRest)
        case (false, true): return left.hasSuffix(rightRest)
        case (true, true): return leftRest.hasSuffix(rightRest) || rightRest.hasSuffix(leftRest)
        }
    }

    private static func check(_ route: VirtualService.HTTPRoute, _ path: String, _ findings: inout Findings) {
        VirtualServiceFieldChecks.check(route, path, &findings)
        let routes = route.route ?? []
        if route.redirect != nil, !routes.isEmpty {
            findings.error(path, "HTTP route cannot contain both route and redirect")
        }
        if route.directResponse != nil, !routes.isEmpty {
            findings.error(path, "HTTP route cannot contain both route and direct_response")
        }
        if route.redirect != nil, route.directResponse != nil {
            findings.error(path, "HTTP route cannot contain both redirect and direct_response")
        }
        if route.delegate != nil, !routes.isEmpty || route.redirect != nil {
            findings.error(path, "HTTP route cannot contain both delegate and route or redirect")
        }
        if routes.isEmpty, route.redirect == nil, route.directResponse == nil, route.delegate == nil {
            findings.error(
                path, "HTTP route, redirect or direct_response is required", hint: "add a route with a destination")
        }
        for (name, isThere) in [("redirect", route.redirect != nil), ("direct_response", route.directResponse != nil)]
        where isThere {
            if route.rewrite != nil { findings.error(path, "HTTP route rule cannot contain both rewrite and \(name)") }
            if route.fault != nil { findings.error(path, "HTTP route cannot contain both fault and \(name)") }
        }
        for (index, match) in (route.match ?? []).enumerated() { check(match, "\(path).match[\(index)]", &findings) }
        weights(routes.map(\.weight), "\(path).route", &findings)
        for (index, entry) in routes.enumerated() {
            destination(entry.destination, "\(path).route[\(index)].destination", &findings)
        }
        findings.duration(route.timeout, "\(path).timeout", zeroAllowed: true)
        if let retries = route.retries { check(retries, "\(path).retries", &findings) }
        if let fault = route.fault { check(fault, "\(path).fault", &findings) }
        if route.mirror != nil { destination(route.mirror, "\(path).mirror", &findings) }
        if route.mirror != nil, !(route.mirrors ?? []).isEmpty {
            findings.error(path, "HTTP route cannot contain both mirror and mirrors")
        }
        for (index, mirror) in (route.mirrors ?? []).enumerated() {
            destination(mirror.destination, "\(path).mirrors[\(index)].destination", &findings)
            findings.percent(mirror.percentage?.value, "\(path).mirrors[\(index)].percentage")
        }
        findings.percent(route.mirrorPercentage?.value, "\(path).mirrorPercentage")
        findings.duration(route.corsPolicy?.maxAge, "\(path).corsPolicy.maxAge")
        for (index, origin) in (route.corsPolicy?.allowOrigins ?? []).enumerated() {
            let place = "\(path).corsPolicy.allowOrigins[\(index)]"
            findings.match(origin, place)
            if [origin.exact, origin.prefix, origin.regex].allSatisfy({ ($0 ?? "").isEmpty }) {
                findings.error(place, "an origin needs exact, prefix or regex")
            }
        }
        if let code = route.redirect?.redirectCode, ![0, 301, 302, 303, 307, 308].contains(code) {
            findings.error(
                "\(path).redirect.redirectCode",
                "\(code) is not a supported redirect code, must be one of 301, 302, 303, 307, 308")
        }
        if let response = route.directResponse {
            let status = response.status ?? 0
            if !(200...599).contains(status) {
                findings.error("\(path).directResponse.status", "HTTP status \(status) is not in range 200..599")
            }
        }
    }

    private static func check(_ match: VirtualService.HTTPMatch, _ path: String, _ findings: inout Findings) {
        findings.match(match.uri, "\(path).uri", emptyPrefix: true)
        for (name, value) in [("scheme", match.scheme), ("method", match.method), ("authority", match.authority)] {
            findings.match(value, "\(path).\(name)")
        }
        if match.port != nil { findings.port(match.port, "\(path).port") }
    }

    private static func check(_ retries: VirtualService.HTTPRetry, _ path: String, _ findings: inout Findings) {
        if let attempts = retries.attempts, attempts < 0 {
            findings.error("\(path).attempts", "attempts cannot be negative")
        }
        if retries.attempts == 0, retries.perTryTimeout != nil || !(retries.retryOn ?? "").isEmpty {
            findings.error("\(path).attempts", "http retry policy configured when attempts are set to 0 (disabled)")
        }
        findings.duration(retries.perTryTimeout, "\(path).perTryTimeout", zeroAllowed: true)
        findings.duration(retries.backoff, "\(path).backoff")
        let known: Set = [
            "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited",
            "retriable-4xx", "refused-stream",
            "retriable-status-codes", "retriable-headers", "http3-post-connect-failure", "cancelled",
            "deadline-exceeded", "internal",
            "resource-exhausted", "unavailable",
        ]
        for word in (retries.retryOn ?? "").split(separator: ",") {
            let condition = String(word.filter { $0 != " " })
            if let code = Int(condition) {
                if !(100...599).contains(code) {
                    findings.error("\(path).retryOn", "HTTP status \(code) is not in range 100..599")
                }
            } else if !condition.isEmpty, !known.contains(condition) {
                findings.error(
                    "\(path).retryOn", "unsupported retryOn value \(condition)",
                    hint: "use \(known.sorted().joined(separator: ", "))")
            }
        }
    }

    private static func check(_ fault: VirtualService.FaultInjection, _ path: String, _ findings: inout Findings) {
        if fault.delay == nil, fault.abort == nil {
            findings.error(path, "HTTP fault injection must have an abort and/or a delay")
        }
        if let delay = fault.delay {
            findings.percent(delay.percentage?.value, "\(path).delay.percentage")
            findings.percent(delay.percent.map(Double.init), "\(path).delay.percent")
            if delay.fixedDelay == nil, delay.exponentialDelay == nil {
                findings.warning("\(path).delay", "nothing is delayed", hint: "set fixedDelay")
            }
            findings.duration(delay.fixedDelay, "\(path).delay.fixedDelay")
        }
        if let abort = fault.abort {
            findings.percent(abort.percentage?.value, "\(path).abort.percentage")
            if let status = abort.httpStatus {
                if !(200...599).contains(status) {
                    findings.error("\(path).abort.httpStatus", "HTTP status \(status) is not in range 200..599")
                }
            } else if abort.grpcStatus == nil, abort.http2Error == nil {
                findings.warning(
                    "\(path).abort", "abort configured, but error type not set", hint: "set httpStatus or grpcStatus")
            }
        }
    }

    private static func destinations(
        _ routes: [VirtualService.RouteDestination], _ path: String, _ findings: inout Findings
    ) {
        if routes.isEmpty { findings.error(path, "route is required") }
        weights(routes.map(\.weight), path, &findings)
        for (index, route) in routes.enumerated() {
            destination(route.destination, "\(path)[\(index)].destination", &findings)
        }
    }

    private static func weights(_ weights: [Int?], _ path: String, _ findings: inout Findings) {
        for (index, weight) in weights.enumerated() {
            if let weight, Int32(exactly: weight) == nil, weight > 0 {
                findings.error("\(path)[\(index)].weight", "weight \(weight) is out of range, at most \(Int32.max)")
            }
            guard let weight, weight < 0 else { continue }
            findings.error(
                "\(path)[\(index)].weight", "weight \(weight) < 0",
                hint: "weights are relative shares of 0 or more, for example 90 and 10")
        }
        guard weights.count > 1 else { return }
        if weights.allSatisfy({ ($0 ?? 0) == 0 }) {
            findings.error(path, "total destination weight = 0", hint: "give at least one destination a weight above 0")
        }
    }

    private static func destination(_ destination: Destination?, _ path: String, _ findings: inout Findings) {
        guard let destination else { return findings.error(path, "destination is required") }
        guard let host = destination.host, !host.isEmpty else {
            return findings.error("\(path).host", "destination host is required")
        }
        findings.host(host, "\(path).host")
        if host == "*" { findings.error("\(path).host", "invalid destination host *") }
        if let subset = destination.subset, !subset.isEmpty, !Names.isLabel(Substring(subset)) {
            findings.error("\(path).subset", "subset name is invalid: \(subset)")
        }
        if destination.port != nil { findings.port(destination.port?.number, "\(path).port.number") }
    }
}
