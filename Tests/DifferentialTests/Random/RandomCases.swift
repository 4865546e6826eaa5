import Foundation

/// Route tables, header sets and requests by chance, the same for the same seed.
enum RandomCases {
    static let prefix = "random-"
    static let count = Int(ProcessInfo.processInfo.environment["WEFT_DIFFERENTIAL_CASES"] ?? "") ?? 300
    static let seed = UInt64(ProcessInfo.processInfo.environment["WEFT_DIFFERENTIAL_SEED"] ?? "") ?? 2026
    static let requestsPerTable = 10

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

/// One virtual host of random routes, and requests that have a chance to match them.
struct RandomTable {
    var random: SplitMix
    /// Paths that the routes name: requests take most of theirs from here.
    var paths: [String] = []
    static let words = ["a", "b", "api", "v1", "user", "Api", "x.y", "1", "23", "a-b"]
    static let names = ["x-a", "x-b", "user-agent", "accept", "x-num"]
    static let values = ["one", "two", "One", "12", "-3", "", "one two", "a,b", "ümlaut", "0"]
    static let parameters = ["q", "v", "one"]
    static let clusters = ["a", "b", "c", "d", "a", "b", "empty", "ring", "maglev", "h2", "h2-b", "tls", "dead"]

    mutating func make(_ name: String, _ requests: Int) -> DifferentialCase {
        var lines = headerChanges(30).map { $0 }
        if random.chance(20) { lines.append("include_request_attempt_count: true") }
        if random.chance(10) { lines.append("include_attempt_count_in_response: true") }
        if random.chance(20) { lines.append("retry_policy: \(retryPolicy())") }
        if random.chance(10) { lines.append("typed_per_filter_config: \(filterConfig())") }
        lines.append("routes:")
        for index in 0..<(2 + random.below(9)) { lines.append("- {name: r\(index), \(route())}") }
        let all = (0..<requests).map { _ in sending() }
        return DifferentialCase(name, lines.joined(separator: "\n"), requests: all)
    }

    /// The fields that change headers, each with some chance, as lines.
    mutating func headerChanges(_ percent: UInt64) -> [String] {
        var lines: [String] = []
        if random.chance(percent) { lines.append("request_headers_to_add: [\(additions(isResponse: false))]") }
        if random.chance(percent) { lines.append("response_headers_to_add: [\(additions(isResponse: true))]") }
        if random.chance(percent / 2) { lines.append("request_headers_to_remove: [\(random.pick(Self.names))]") }
        if random.chance(percent / 2) {
            lines.append("response_headers_to_remove: [\(random.pick(["x-upstream", "x-a", "x-new"]))]")
        }
        return lines
    }

    private mutating func additions(isResponse: Bool) -> String {
        (0...random.below(2)).map { _ in addition(isResponse: isResponse) }.joined(separator: ", ")
    }

    private mutating func addition(isResponse: Bool) -> String {
        var values = [
            "fixed", "%REQ(x-a)%", "%PROTOCOL%", "<%REQ(x-none)%>", "%REQ(:path)%", "%REQ(x-none?x-b)%",
            "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "50%%", "%REQ(x-b):2%", "%ROUTE_NAME%", "%REQ(:METHOD)%",
            "a %REQ(x-a)% b %REQ(x-num)%", "%REQ(:AUTHORITY)%",
        ]
        if isResponse { values += ["%RESP(x-upstream)%", "%RESPONSE_CODE%", "%UPSTREAM_CLUSTER%"] }
        let action = random.pick([
            "APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS",
        ])
        let name = random.pick(["x-a", "x-new", "x-b", "X-Other"])
        return "{header: {key: \(name), value: \(quoted(random.pick(values)))}, append_action: \(action)}"
    }

    mutating func retryPolicy() -> String {
        let on = random.pick([
            "5xx", "gateway-error", "retriable-4xx", "5xx,reset", "reset", "retriable-status-codes", "connect-failure",
            "retriable-headers", "reset-before-request", "refused-stream",
        ])
        var more = ""
        if on.contains("status") { more += ", retriable_status_codes: [404, 503]" }
        if on.contains("headers") { more += ", retriable_headers: [{name: x-new, present_match: true}]" }
        if random.chance(10) { more += ", retriable_request_headers: [{name: x-a, present_match: true}]" }
        if random.chance(15) {
            more +=
                ", retry_host_predicate: [{name: envoy.retry_host_predicates.previous_hosts, typed_config: "
                + "{\"@type\": \(Bootstrap.type("retry.host.previous_hosts.v3.PreviousHostsPredicate"))}}]"
        }
        let count = 1 + random.below(3)
        return "{retry_on: \"\(on)\", num_retries: \(count)\(more), retry_back_off: {base_interval: 0.002s}}"
    }

    /// `typed_per_filter_config` for filters that the shared listener has.
    mutating func filterConfig() -> String {
        switch random.below(3) {
        case 0:
            let origin = random.pick(["{exact: \"http://a.example\"}", "{prefix: http}", "{suffix: .example}"])
            return "{envoy.filters.http.cors: {\"@type\": \(Bootstrap.type("filters.http.cors.v3.CorsPolicy")), "
                + "allow_origin_string_match: [\(origin)], allow_methods: \"GET,POST\", max_age: \"60\"}}"
        case 1:
            let header = random.chance(50) ? ", headers: [\(headerMatch())]" : ""
            return "{envoy.filters.http.fault: {\"@type\": \(Bootstrap.type("filters.http.fault.v3.HTTPFault")), "
                + "abort: {http_status: \(random.pick([418, 429, 503])), "
                + "percentage: {numerator: \(random.pick([0, 100, 100]))}}\(header)}}"
        default:
            return "{envoy.filters.http.rbac: {\"@type\": \(Bootstrap.type("filters.http.rbac.v3.RBACPerRoute")), "
                + "rbac: {rules: {action: \(random.pick(["ALLOW", "DENY"])), policies: {p: {permissions: "
                + "[\(permission())], principals: [{any: true}]}}}}}}"
        }
    }

    private mutating func permission() -> String {
        switch random.below(5) {
        case 0: return "{header: \(headerMatch())}"
        case 1: return "{url_path: {path: {prefix: \(quoted(path(1)))}}}"
        case 2: return "{not_rule: {header: \(headerMatch())}}"
        case 3: return "{and_rules: {rules: [{header: \(headerMatch())}, {any: true}]}}"
        default:
            return "{or_rules: {rules: [{header: \(headerMatch())}, {url_path: {path: {exact: \(quoted(path()))}}}]}}"
        }
    }

    mutating func path(_ most: Int = 3) -> String {
        let count = 1 + random.below(most)
        return (0..<count).map { _ in "/" + random.pick(Self.words) }.joined()
    }

    /// A path for a route, which requests may take up.
    mutating func routePath(_ most: Int = 3) -> String {
        let made = path(most)
        paths.append(made)
        return made
    }

    func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
