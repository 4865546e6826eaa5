import Foundation

/// Route tables, header sets and requests by chance, the same for the same seed.
enum RandomCases {
    static let prefix = "random-"
    static let count = Int(ProcessInfo.processInfo.environment["WEFT_DIFFERENTIAL_CASES"] ?? "") ?? 300
    static let seed = UInt64(ProcessInfo.processInfo.environment["WEFT_DIFFERENTIAL_SEED"] ?? "") ?? 2026
    private static let requestsPerTable = 10

    static func generate(count: Int, seed: UInt64) -> [DifferentialCase] {
        var random = SplitMix(state: seed)
        return (0..<(count + requestsPerTable - 1) / requestsPerTable).map { (index: Int) -> DifferentialCase in
            var table = RandomTable(random: SplitMix(state: random.next()))
            return table.make("\(prefix)\(seed)-\(index)", requestsPerTable)
        }
    }
}

/// SplitMix64: small, and the same everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    mutating func pick<T>(_ all: [T]) -> T { all[Int(next() % UInt64(all.count))] }
    mutating func chance(_ percent: UInt64) -> Bool { next() % 100 < percent }
    mutating func below(_ end: Int) -> Int { Int(next() % UInt64(end)) }
}

/// One virtual host of random routes.
private struct RandomTable {
    var random: SplitMix
    static let words = ["a", "b", "api", "v1", "user", "Api", "x.y", "1", "23", "a-b"]
    static let names = ["x-a", "x-b", "user-agent", "accept", "x-num"]
    static let values = ["one", "two", "One", "12", "-3", "", "one two", "a,b", "ümlaut", "0"]
    static let clusters = ["a", "b", "c", "d", "a", "b", "empty", "ring", "maglev"]

    mutating func make(_ name: String, _ requests: Int) -> DifferentialCase {
        var lines: [String] = []
        if random.chance(30) { lines.append("request_headers_to_add: [\(addition())]") }
        if random.chance(30) { lines.append("response_headers_to_add: [\(addition())]") }
        if random.chance(20) { lines.append("request_headers_to_remove: [\(random.pick(Self.names))]") }
        if random.chance(20) { lines.append("include_request_attempt_count: true") }
        if random.chance(20) { lines.append("retry_policy: \(retryPolicy())") }
        lines.append("routes:")
        for index in 0..<(2 + random.below(7)) { lines.append("- {name: r\(index), \(route())}") }
        let all = (0..<requests).map { _ in sending() }
        return DifferentialCase(name, lines.joined(separator: "\n"), requests: all)
    }

    private mutating func path(_ most: Int = 3) -> String {
        let count = 1 + random.below(most)
        return (0..<count).map { _ in "/" + random.pick(Self.words) }.joined()
    }

    private func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    private mutating func stringMatch() -> String {
        let value = random.pick(Self.values.filter { !$0.isEmpty })
        let ignoreCase = random.chance(25) ? ", ignore_case: true" : ""
        switch random.below(5) {
        case 0: return "{exact: \(quoted(value))\(ignoreCase)}"
        case 1: return "{prefix: \(quoted(String(value.prefix(2))))\(ignoreCase)}"
        case 2: return "{suffix: \(quoted(String(value.suffix(2))))\(ignoreCase)}"
        case 3: return "{contains: \(quoted(String(value.prefix(1))))\(ignoreCase)}"
        default: return "{safe_regex: {regex: \(quoted(regex()))}}"
        }
    }

    private mutating func regex() -> String {
        random.pick([
            "[a-z]+", "one|two", "(o|O)ne", "\\d+", "-?[0-9]{1,2}", ".*", "x*", "o.e", "[^0-9]*", "(?i)ONE", "a,?b",
            "\\w+ \\w+", "(one|two)( .*)?",
        ])
    }

    private mutating func headerMatch() -> String {
        let name = random.pick(Self.names + [":method", ":path"])
        let test: String
        switch random.below(6) {
        case 0: test = "present_match: \(random.chance(70))"
        case 1: test = "range_match: {start: \(random.below(5) - 4), end: \(random.below(20) + 2)}"
        default: test = "string_match: \(stringMatch())"
        }
        let invert = random.chance(20) ? ", invert_match: true" : ""
        let missing = random.chance(15) ? ", treat_missing_header_as_empty: true" : ""
        return "{name: \(quoted(name)), \(test)\(invert)\(missing)}"
    }

    private mutating func match() -> (text: String, isPrefix: Bool) {
        var parts: [String] = []
        var isPrefix = false
        switch random.below(10) {
        case 0, 1: parts.append("path: \(quoted(path()))")
        case 2:
            parts.append("path_separated_prefix: \(quoted(path(2)))")
            isPrefix = true
        case 3:
            let pattern = random.pick(["/[a-z]+", "/api/.*", "/(a|b)/v?1?", "/.*1", "/\\w+/\\w+", "/[^/]+(/.*)?"])
            parts.append("safe_regex: {regex: \(quoted(pattern))}")
        case 4, 5:
            parts.append("prefix: /")
            isPrefix = true
        default:
            parts.append("prefix: \(quoted(path(2)))")
            isPrefix = true
        }
        if random.chance(20) { parts.append("case_sensitive: false") }
        if random.chance(45) {
            let count = 1 + random.below(2)
            parts.append("headers: [\((0..<count).map { _ in headerMatch() }.joined(separator: ", "))]")
        }
        if random.chance(20) {
            let test = random.chance(30) ? "present_match: true" : "string_match: \(stringMatch())"
            parts.append("query_parameters: [{name: \(random.pick(["q", "v", "one"])), \(test)}]")
        }
        return ("match: {\(parts.joined(separator: ", "))}", isPrefix)
    }

    private mutating func addition() -> String {
        let value = random.pick([
            "fixed", "%REQ(x-a)%", "%PROTOCOL%", "<%REQ(x-none)%>", "%REQ(:path)%",
            "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
            "50%%", "%REQ(x-b):2%", "%ROUTE_NAME%",
        ])
        let action = random.pick([
            "APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS",
        ])
        let name = random.pick(["x-a", "x-new", "x-b", "X-Other"])
        return "{header: {key: \(name), value: \(quoted(value))}, append_action: \(action)}"
    }

    private mutating func retryPolicy() -> String {
        let on = random.pick(["5xx", "gateway-error", "retriable-4xx", "5xx,reset", "reset", "retriable-status-codes"])
        let codes = on.contains("status") ? ", retriable_status_codes: [404, 503]" : ""
        return
            "{retry_on: \"\(on)\", num_retries: \(1 + random.below(2))\(codes), retry_back_off: {base_interval: 0.002s}}"
    }

    private mutating func route() -> String {
        let (match, isPrefix) = match()
        var more = ""
        if random.chance(25) { more += ", request_headers_to_add: [\(addition())]" }
        if random.chance(25) { more += ", response_headers_to_add: [\(addition())]" }
        if random.chance(15) { more += ", request_headers_to_remove: [\(random.pick(Self.names))]" }
        if random.chance(15) { more += ", response_headers_to_remove: [x-upstream]" }
        switch random.below(10) {
        case 0:
            return
                "\(match), direct_response: {status: \(random.pick([200, 201, 403, 503])), body: {inline_string: \"d\"}}\(more)"
        case 1: return "\(match), redirect: \(redirect(isPrefix))\(more)"
        default: return "\(match), route: \(action(isPrefix))\(more)"
        }
    }

    private mutating func redirect(_ isPrefix: Bool) -> String {
        var parts: [String] = []
        switch random.below(3) {
        case 0: parts.append("path_redirect: \(path())")
        case 1 where isPrefix: parts.append("prefix_rewrite: \(path())")
        default: parts.append("host_redirect: other.example")
        }
        if random.chance(30) { parts.append("https_redirect: true") }
        if random.chance(20) { parts.append("port_redirect: \(random.pick([80, 443, 8080]))") }
        if random.chance(20) { parts.append("strip_query: true") }
        parts.append("response_code: \(random.pick(["MOVED_PERMANENTLY", "FOUND", "SEE_OTHER", "TEMPORARY_REDIRECT"]))")
        return "{\(parts.joined(separator: ", "))}"
    }

    private mutating func action(_ isPrefix: Bool) -> String {
        let cluster = random.pick(Self.clusters)
        var parts = ["cluster: \(cluster)"]
        if cluster == "ring" || cluster == "maglev" {
            parts.append(
                "hash_policy: [{header: {header_name: x-id-free}}, {connection_properties: {source_ip: true}}]")
        }
        if isPrefix, random.chance(30) {
            parts.append("prefix_rewrite: \(quoted(path()))")
        } else if random.chance(15) {
            parts.append("regex_rewrite: {pattern: {regex: \"/([a-z0-9]+)\"}, substitution: \"/<\\\\1>\"}")
        }
        if random.chance(15) { parts.append("host_rewrite_literal: inner.example") }
        if random.chance(25) { parts.append("retry_policy: \(retryPolicy())") }
        if random.chance(10) { parts.append("timeout: 5s") }
        return "{\(parts.joined(separator: ", "))}"
    }

    private mutating func sending() -> Sending {
        var headers: [String] = []
        for name in Self.names where random.chance(40) { headers.append("\(name): \(random.pick(Self.values))") }
        if random.chance(15) { headers.append("x-a: \(random.pick(Self.values))") }
        if random.chance(20) { headers.append("x-id-free: \(random.pick(Self.values))") }
        if random.chance(35) {
            headers.append(
                "x-do: "
                    + random.pick([
                        "status=503|status=200", "status=404", "status=503|status=503|status=200", "reset|status=200",
                        "chunked",
                        "header=x-a:up", "header=x-new:up", "status=204", "size=5000", "status=500", "fin|status=200",
                    ]))
        }
        var target = path()
        if random.chance(15) { target += "/" }
        if random.chance(35) {
            let pairs = (0...random.below(2)).map { _ in
                "\(random.pick(["q", "v", "one"]))=\(random.pick(["one", "two", "12", ""]))"
            }
            target += "?" + pairs.joined(separator: "&")
        }
        switch random.below(10) {
        case 0: return request("HEAD", target, headers)
        case 1, 2:
            let body = String(repeating: "b", count: random.below(2000))
            return request("POST", target, headers + ["content-length: \(body.utf8.count)"], body: body)
        case 3: return request("DELETE", target, headers)
        default: return request("GET", target, headers)
        }
    }
}
