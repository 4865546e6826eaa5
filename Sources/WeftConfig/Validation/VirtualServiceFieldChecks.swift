import WeftCore

/// Checks of single parts of a VirtualService's routes: faults, rewrites, redirects, CORS, headers, and what cannot be obeyed.
enum VirtualServiceFieldChecks {
    static func check(_ route: VirtualService.HTTPRoute, _ path: String, _ findings: inout Findings) {
        if let fault = route.fault { check(fault, "\(path).fault", &findings) }
        if let rewrite = route.rewrite { check(rewrite, "\(path).rewrite", &findings) }
        if let redirect = route.redirect { check(redirect, "\(path).redirect", &findings) }
        if let body = route.directResponse?.body { check(body, "\(path).directResponse.body", &findings) }
        if let cors = route.corsPolicy { check(cors, "\(path).corsPolicy", &findings) }
        if let delegate = route.delegate, (delegate.name ?? "").isEmpty {
            findings.error("\(path).delegate.name", "delegate name is required")
        }
        if route.delegate != nil, route.directResponse != nil {
            findings.error(path, "HTTP route cannot contain both delegate and direct_response")
        }
        if route.mirrorPercent != nil || route.mirrorPercentByProtoName != nil {
            findings.warning("\(path).mirrorPercent", "mirrorPercent is deprecated", hint: "use mirrorPercentage.value")
        }
        check(route.headers, "\(path).headers", &findings)
        authority(route, path, &findings)
        for (index, entry) in (route.route ?? []).enumerated() {
            check(entry.headers, "\(path).route[\(index)].headers", &findings)
        }
        for (index, match) in (route.match ?? []).enumerated() {
            let path = "\(path).match[\(index)]"
            if match.ignoreUriCase == true, match.uri?.regex != nil {
                findings.warning(
                    "\(path).ignoreUriCase", "ignoreUriCase has no effect on a regular expression",
                    hint: "begin the expression with (?i)")
            }
            for name in (match.headers ?? [:]).keys where match.withoutHeaders?[name] == StringMatch() {
                findings.error(
                    "\(path).withoutHeaders[\(name)]", "header \(name) must be there and must not: nothing matches")
            }
        }
    }

    // MARK: - Faults

    private static let statuses: Set<String> = [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ]

    private static func check(_ fault: VirtualService.FaultInjection, _ path: String, _ findings: inout Findings) {
        if fault.delay?.exponentialDelay != nil {
            findings.error(
                "\(path).delay.exponentialDelay", "exponentialDelay not supported yet", hint: "use fixedDelay")
        }
        if fault.delay?.percent != nil {
            findings.warning("\(path).delay.percent", "percent is deprecated", hint: "use percentage.value")
        }
        if let delay = fault.delay, delay.percentage == nil, delay.percent == nil {
            findings.warning(
                "\(path).delay", "without a percentage no request is delayed", hint: "set percentage.value, 0 to 100")
        }
        guard let abort = fault.abort else { return }
        if abort.percentage == nil {
            findings.warning(
                "\(path).abort", "without a percentage no request is aborted", hint: "set percentage.value, 0 to 100")
        }
        if abort.http2Error != nil {
            findings.error(
                "\(path).abort.http2Error", "HTTP/2 abort fault injection not supported yet",
                hint: "use httpStatus or grpcStatus")
        }
        let kinds = [abort.httpStatus != nil, abort.grpcStatus != nil, abort.http2Error != nil]
        if kinds.count(where: { $0 }) > 1 {
            findings.error("\(path).abort", "only one of httpStatus, grpcStatus and http2Error can be set")
        }
        if let status = abort.grpcStatus, !statuses.contains(status) {
            findings.error(
                "\(path).abort.grpcStatus", "gRPC status \"\(status)\" is not supported",
                hint: "use a name such as UNAVAILABLE or PERMISSION_DENIED")
        }
    }

    // MARK: - Paths and replies

    private static func check(_ rewrite: VirtualService.HTTPRewrite, _ path: String, _ findings: inout Findings) {
        let uri = rewrite.uri ?? ""
        if uri.isEmpty, (rewrite.authority ?? "").isEmpty, rewrite.uriRegexRewrite == nil {
            findings.error(path, "rewrite must specify uri, uriRegexRewrite, or authority")
        }
        if !uri.isEmpty, rewrite.uriRegexRewrite != nil {
            findings.error(path, "rewrite may only contain one of uriRegexRewrite or uri")
        }
        guard let regex = rewrite.uriRegexRewrite else { return }
        guard let pattern = regex.match, !pattern.isEmpty, let text = regex.rewrite, !text.isEmpty else {
            return findings.error("\(path).uriRegexRewrite", "uriRegexRewrite requires both match and rewrite")
        }
        let count = findings.diagnostics.count
        findings.regex(pattern, "\(path).uriRegexRewrite.match")
        guard findings.diagnostics.count == count else { return }
        do throws(RegexError) {
            _ = try RegexReplacement(pattern, substitution: text)
        } catch {
            findings.error(
                "\(path).uriRegexRewrite.rewrite", "\(error.message): `\(text)`",
                hint: "\\0 is the whole match, \\1 to \\9 are groups of the pattern, \\\\ is a backslash")
        }
    }

    private static func check(_ redirect: VirtualService.HTTPRedirect, _ path: String, _ findings: inout Findings) {
        let texts = [redirect.uri, redirect.prefixRewrite, redirect.authority, redirect.scheme]
        let saysNothing = texts.allSatisfy { ($0 ?? "").isEmpty } && redirect.port == nil && redirect.derivePort == nil
        if saysNothing, redirect.redirectCode == nil {
            findings.error(path, "redirect must specify uri, authority, scheme, port or redirectCode")
        }
        if !(redirect.uri ?? "").isEmpty, !(redirect.prefixRewrite ?? "").isEmpty {
            findings.error(path, "redirect may only contain one of uri and prefixRewrite")
        }
        if let scheme = redirect.scheme, !scheme.isEmpty, scheme != "http", scheme != "https" {
            findings.error("\(path).scheme", "redirect scheme must be http or https, but is \(scheme)")
        }
        if redirect.port != nil { findings.port(redirect.port, "\(path).port") }
        if redirect.port != nil, redirect.derivePort != nil {
            findings.error(path, "only one of port and derivePort can be set")
        }
    }

    private static let bodyLimit = 1 << 20

    private static func check(_ body: VirtualService.DirectResponse.Body, _ path: String, _ findings: inout Findings) {
        if body.string != nil, body.bytes != nil {
            findings.error(path, "only one of string and bytes can be set")
        }
        let size = body.string?.utf8.count ?? (body.bytes.map { $0.utf8.count / 4 * 3 } ?? 0)
        if size > bodyLimit { findings.error(path, "response body is \(size) bytes, the limit is \(bodyLimit)") }
        guard let text = body.bytes else { return }
        let isBase64 = text.utf8.count.isMultiple(of: 4) && text.utf8.allSatisfy(isBase64Digit)
        if !isBase64 { findings.error("\(path).bytes", "bytes is not base64") }
    }

    private static func isBase64Digit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="):
            true
        default: false
        }
    }

    // MARK: - CORS and headers

    private static func check(_ cors: VirtualService.CorsPolicy, _ path: String, _ findings: inout Findings) {
        for (index, method) in (cors.allowMethods ?? []).enumerated() where method != "*" && !isToken(method) {
            findings.error("\(path).allowMethods[\(index)]", "\"\(method)\" is not a supported HTTP method")
        }
        for (field, names) in [("allowHeaders", cors.allowHeaders), ("exposeHeaders", cors.exposeHeaders)] {
            for (index, name) in (names ?? []).enumerated() where name != "*" && !isToken(name) {
                findings.error("\(path).\(field)[\(index)]", "header name \"\(name)\" is not valid")
            }
        }
        if let age = cors.maxAge, age.nanoseconds % 1_000_000_000 != 0 {
            findings.error("\(path).maxAge", "maxAge is accurate only to seconds", hint: "write whole seconds")
        }
        if cors.allowOrigin != nil {
            findings.warning("\(path).allowOrigin", "allowOrigin is deprecated", hint: "use allowOrigins")
        }
    }

    private static func check(
        _ operations: VirtualService.HeaderOperations?, _ path: String, _ findings: inout Findings
    ) {
        for (side, changes) in [("request", operations?.request), ("response", operations?.response)] {
            guard let changes else { continue }
            for (field, names) in [
                ("set", (changes.set ?? [:]).keys.sorted()), ("add", (changes.add ?? [:]).keys.sorted()),
                ("remove", changes.remove ?? []),
            ] {
                for name in names {
                    check(header: name, side: side, field: field, "\(path).\(side).\(field)", &findings)
                }
            }
            for (field, values) in [("set", changes.set), ("add", changes.add)] {
                for (name, value) in (values ?? [:]).sorted(by: { $0.key < $1.key }) {
                    findings.headerValue(value, "\(path).\(side).\(field)[\(name)]")
                }
            }
        }
    }

    /// The authority that an upstream sees is said in one place.
    private static func authority(_ route: VirtualService.HTTPRoute, _ path: String, _ findings: inout Findings) {
        var given = (route.rewrite?.authority ?? "").isEmpty ? [] : ["rewrite.authority"]
        for name in (route.headers?.request?.set ?? [:]).keys.sorted()
        where name.lowercased() == "host" || name == ":authority" {
            given.append("headers.request.set[\(name)]")
        }
        guard given.count > 1 else { return }
        findings.error(
            "\(path).\(given[1])", "authority header cannot be set multiple times: \(given[0]) sets it, too")
    }

    /// The authority can only be set, and only on requests; other pseudo headers cannot be changed.
    private static func check(
        header name: String, side: String, field: String, _ path: String, _ findings: inout Findings
    ) {
        let isAuthority = name.lowercased() == "host" || name == ":authority"
        if isAuthority {
            guard side != "request" || field != "set" else { return }
            findings.error("\(path)[\(name)]", "\(name) cannot be changed here", hint: "use rewrite.authority")
        } else if name.hasPrefix(":") {
            findings.error("\(path)[\(name)]", "pseudo header \(name) cannot be changed")
        } else if !isToken(name) {
            findings.error("\(path)[\(name)]", "header name \"\(name)\" is not valid")
        }
    }

    /// RFC 9110 section 5.6.2.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                byte > 0x20 && byte < 0x7F && !"\"(),/:;<=>?@[\\]{}".utf8.contains(byte)
            }
    }
}

/// Checks of the `tcp` and `tls` parts, beyond that they have routes.
enum ConnectionRouteChecks {
    static func check(_ spec: VirtualService, _ findings: inout Findings) {
        for (index, route) in (spec.tcp ?? []).enumerated() {
            for (number, match) in (route.match ?? []).enumerated() {
                let path = "spec.tcp[\(index)].match[\(number)]"
                subnets(match.destinationSubnets, "\(path).destinationSubnets", &findings)
                subnets(match.sourceSubnet.map { [$0] }, "\(path).sourceSubnet", &findings)
                findings.objectLabels(match.sourceLabels, "\(path).sourceLabels")
                findings.gateways(match.gateways, "\(path).gateways")
            }
        }
        for (index, route) in (spec.tls ?? []).enumerated() {
            for (number, match) in (route.match ?? []).enumerated() {
                let path = "spec.tls[\(index)].match[\(number)]"
                subnets(match.destinationSubnets, "\(path).destinationSubnets", &findings)
                if match.port != nil { findings.port(match.port, "\(path).port") }
                findings.objectLabels(match.sourceLabels, "\(path).sourceLabels")
                findings.gateways(match.gateways, "\(path).gateways")
                for (place, name) in (match.sniHosts ?? []).enumerated() {
                    check(name, of: spec.hosts ?? [], "\(path).sniHosts[\(place)]", &findings)
                }
            }
        }
    }

    /// A server name must lie within a host of the rule: no other connection gets here.
    private static func check(_ name: String, of hosts: [String], _ path: String, _ findings: inout Findings) {
        findings.host(name, path)
        let covered = hosts.contains { host in
            host == "*" || host == name || name == "*" || (host.hasPrefix("*") && name.hasSuffix(host.dropFirst()))
                // Short names are compared as they are written in full.
                || !host.contains(".")
        }
        if !covered, !hosts.isEmpty {
            findings.error(
                path,
                "SNI host \"\(name)\" is not a compatible subset of any of the virtual service domains: [\(hosts.joined(separator: ", "))]"
            )
        }
    }

    private static func subnets(_ values: [String]?, _ path: String, _ findings: inout Findings) {
        for (index, text) in (values ?? []).enumerated() where !AddressRange.isValid(text) {
            findings.error("\(path)[\(index)]", "\"\(text)\" is not a valid IP address or CIDR prefix")
        }
    }
}

/// IP addresses and CIDR prefixes as rules write them.
package enum AddressRange {
    package static func isValid(_ text: String) -> Bool {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let isV6 = parts[0].contains(":")
        guard isV6 ? isIPv6(parts[0]) : isIPv4(parts[0]) else { return false }
        guard parts.count == 2 else { return true }
        return Int(parts[1]).map { (0...(isV6 ? 128 : 32)).contains($0) } ?? false
    }

    private static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { !$0.isEmpty && $0.utf8.count <= 3 && UInt8($0) != nil }
    }

    private static func isIPv6(_ text: Substring) -> Bool {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard halves.count <= 2 else { return false }
        let groups = halves.flatMap { $0.split(separator: ":", omittingEmptySubsequences: false) }.filter {
            !$0.isEmpty
        }
        let hasIPv4 = groups.last?.contains(".") == true
        guard groups.dropLast(hasIPv4 ? 1 : 0).allSatisfy({ $0.utf8.count <= 4 && UInt16($0, radix: 16) != nil }),
            !hasIPv4 || isIPv4(groups[groups.count - 1])
        else { return false }
        let count = groups.count + (hasIPv4 ? 1 : 0)
        return halves.count == 2 ? count < 8 : count == 8
    }
}
