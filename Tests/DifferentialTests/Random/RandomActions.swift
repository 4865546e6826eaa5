/// What a route does: forward, redirect or answer, with everything that changes a request on its way.
extension RandomTable {
    mutating func route() -> String {
        let (match, kind) = match()
        var more = headerChanges(25).map { ", " + $0 }.joined()
        if random.chance(8) { more += ", typed_per_filter_config: \(filterConfig())" }
        switch random.below(12) {
        case 0: return "\(match), direct_response: \(directResponse())\(more)"
        case 1: return "\(match), redirect: \(redirect(kind))\(more)"
        default: return "\(match), route: \(action(kind))\(more)"
        }
    }

    private mutating func directResponse() -> String {
        let body =
            random.chance(70) ? ", body: {inline_string: \(quoted(random.pick(["d", "[]", "line\\nline"])))}" : ""
        return "{status: \(random.pick([200, 201, 204, 302, 403, 404, 429, 503]))\(body)}"
    }

    private mutating func redirect(_ kind: MatchKind) -> String {
        var parts: [String] = []
        switch random.below(4) {
        case 0: parts.append("path_redirect: \(quoted(path() + (random.chance(20) ? "?new=1" : "")))")
        case 1 where kind == .prefix: parts.append("prefix_rewrite: \(quoted(random.chance(30) ? "/" : path()))")
        case 2: parts.append("regex_rewrite: \(regexRewrite())")
        default: parts.append("host_redirect: \(random.pick(["other.example", "o.example:81"]))")
        }
        if random.chance(25) {
            parts.append("https_redirect: true")
        } else if random.chance(15) {
            parts.append("scheme_redirect: \(random.pick(["https", "http", "ws"]))")
        }
        if random.chance(20) { parts.append("port_redirect: \(random.pick([80, 443, 8080]))") }
        if random.chance(20) { parts.append("strip_query: true") }
        let code = random.pick(["MOVED_PERMANENTLY", "FOUND", "SEE_OTHER", "TEMPORARY_REDIRECT", "PERMANENT_REDIRECT"])
        parts.append("response_code: \(code)")
        return "{\(parts.joined(separator: ", "))}"
    }

    private mutating func regexRewrite() -> String {
        let (regex, substitution) = random.pick([
            ("/([a-z0-9]+)", "/<\\1>"), ("^/([^/]+)/(.*)$", "/\\2/\\1"), ("a", "bb"), ("/$", "/end"), ("[0-9]+", "N"),
            ("(/)(.*)", "\\0"), ("none", "x"), ("x*", "y"), ("(a)|(b)", "[\\1\\2]"),
        ])
        return "{pattern: {regex: \(quoted(regex))}, substitution: \(quoted(substitution))}"
    }

    private mutating func target() -> String {
        switch random.below(10) {
        case 0:
            let names = ["a", "b", "c"]
            let chosen = random.below(names.count)
            let clusters = names.enumerated().map { index, name in
                let changes = headerChanges(30).map { ", " + $0 }.joined()
                let host = random.chance(15) ? ", host_rewrite_literal: w\(index).example" : ""
                return "{name: \(name), weight: \(index == chosen ? 100 : 0)\(changes)\(host)}"
            }
            return "weighted_clusters: {clusters: [\(clusters.joined(separator: ", "))]}"
        case 1: return "cluster_header: x-cluster"
        default:
            if random.chance(3) {
                let code = random.pick(["NOT_FOUND", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"])
                return "cluster_header: x-none, cluster_not_found_response_code: \(code)"
            }
            return "cluster: \(random.pick(Self.clusters))"
        }
    }

    private mutating func hashPolicy() -> String {
        let policies = [
            "{header: {header_name: x-id-free}}", "{query_parameter: {name: q}}", "{cookie: {name: c}}",
            "{connection_properties: {source_ip: true}}", "{header: {header_name: x-a}, terminal: true}",
            "{header: {header_name: x-b, regex_rewrite: {pattern: {regex: \"n.*\"}, substitution: \"m\"}}}",
        ]
        let count = 1 + random.below(2)
        let chosen = (0..<count).map { _ in random.pick(policies) }
        // The last one always has a value, because without any the pick is chance.
        return "hash_policy: [\((chosen + [policies[3]]).joined(separator: ", "))]"
    }

    private mutating func action(_ kind: MatchKind) -> String {
        var parts = [target()]
        if parts[0].hasSuffix("ring") || parts[0].hasSuffix("maglev") { parts.append(hashPolicy()) }
        switch random.below(10) {
        case 0...2 where kind == .prefix: parts.append("prefix_rewrite: \(quoted(random.chance(20) ? "/" : path()))")
        case 3, 4: parts.append("regex_rewrite: \(regexRewrite())")
        default: break
        }
        switch random.below(14) {
        case 0, 1: parts.append("host_rewrite_literal: \(random.pick(["inner.example", "Inner.Example:8"]))")
        case 2: parts.append("host_rewrite_header: x-a")
        case 3:
            parts.append(
                "host_rewrite_path_regex: {pattern: {regex: \"^/([a-z0-9-]+).*$\"}, substitution: \"\\\\1.example\"}")
        default: break
        }
        if parts.last?.hasPrefix("host_rewrite") == true, random.chance(40) {
            parts.append("append_x_forwarded_host: true")
        }
        if random.chance(25) { parts.append("retry_policy: \(retryPolicy())") }
        if random.chance(10) { parts.append("timeout: \(random.pick(["5s", "0s", "8.5s"]))") }
        if random.chance(5) { parts.append("idle_timeout: 9s") }
        if random.chance(5) { parts.append("priority: HIGH") }
        if random.chance(8) { parts.append("request_mirror_policies: [\(mirror())]") }
        return "{\(parts.joined(separator: ", "))}"
    }

    private mutating func mirror() -> String {
        let fraction =
            random.chance(30) ? ", runtime_fraction: {default_value: {numerator: \(random.pick([0, 100]))}}" : ""
        return "{cluster: \(random.pick(["c", "d"]))\(fraction)}"
    }
}
