/// Every form of a route's `match`.
extension RandomTable {
    mutating func stringMatch() -> String {
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
            "\\w+ \\w+", "(one|two)( .*)?", "(?:o)(n)e", "[[:alpha:]]+", "o{1}ne|t", "\\S+", "^one$", "(one){1,3}",
            "\\pL+", "\\p{Lu}.*", "[^\\pL]+", ".{7}", "(?i)ÜML.*", "[ü-ÿ].ml\\pLut", "\\xc3.+", "\\Qa,b\\E",
            "\\p{Latin}+|\\PN", "\\p{Greek}|o.*",
        ])
    }

    mutating func headerMatch() -> String {
        let name = random.pick(Self.names + [":method", ":path", ":authority", "cookie", "content-length"])
        let test: String
        switch random.below(7) {
        case 0: test = "present_match: \(random.chance(70))"
        case 1: test = "range_match: {start: \(random.below(5) - 4), end: \(random.below(20) + 2)}"
        case 2 where name == ":method": test = "string_match: {exact: \(random.pick(["GET", "POST", "get"]))}"
        default: test = "string_match: \(stringMatch())"
        }
        let invert = random.chance(20) ? ", invert_match: true" : ""
        let missing = random.chance(15) ? ", treat_missing_header_as_empty: true" : ""
        return "{name: \(quoted(name)), \(test)\(invert)\(missing)}"
    }

    private mutating func queryMatch() -> String {
        let test = random.chance(30) ? "present_match: \(random.chance(80))" : "string_match: \(stringMatch())"
        return "{name: \(random.pick(Self.parameters)), \(test)}"
    }

    private mutating func pathMatch() -> (text: String, kind: MatchKind) {
        switch random.below(12) {
        case 0, 1: return ("path: \(quoted(routePath()))", .exact)
        case 2: return ("path_separated_prefix: \(quoted(routePath(2)))", .prefix)
        case 3:
            let pattern = random.pick([
                "/[a-z]+", "/api/.*", "/(a|b)/v?1?", "/.*1", "/\\w+/\\w+", "/[^/]+(/.*)?", "(?i)/API.*", "/a|/b",
                "/[ab]?.*",
            ])
            return ("safe_regex: {regex: \(quoted(pattern))}", .regex)
        case 4, 5: return ("prefix: /", .prefix)
        case 6:
            let template = random.pick([
                "/{x}", "/api/{x}", "/{x}/{y}", "/{x=**}", "/*/v1", "/a/**", "/{x=*}/b", "/user/{id}/{rest=**}",
            ])
            let type = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"
            return (
                "path_match_policy: {name: envoy.path.match.uri_template.uri_template_matcher, "
                    + "typed_config: {\"@type\": \(type), path_template: \(quoted(template))}}", .template
            )
        default: return ("prefix: \(quoted(routePath(2)))", .prefix)
        }
    }

    enum MatchKind { case exact, prefix, regex, template }

    mutating func match() -> (text: String, kind: MatchKind) {
        let (path, kind) = pathMatch()
        var parts = [path]
        if random.chance(20), kind == .exact || kind == .prefix { parts.append("case_sensitive: false") }
        if random.chance(45) {
            let count = 1 + random.below(2)
            parts.append("headers: [\((0..<count).map { _ in headerMatch() }.joined(separator: ", "))]")
        }
        if random.chance(20) { parts.append("query_parameters: [\(queryMatch())]") }
        if random.chance(5) { parts.append("grpc: {}") }
        if random.chance(6) {
            parts.append("runtime_fraction: {default_value: {numerator: \(random.pick([0, 100, 100]))}}")
        }
        return ("match: {\(parts.joined(separator: ", "))}", kind)
    }
}
