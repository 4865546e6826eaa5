import WeftConfig
import WeftIR

/// Turns the conditions of a VirtualService's match into the proxy's.
enum RouteMatches {
    /// Paths are compared byte for byte: a `prefix` need not end at a segment.
    static func build(_ match: VirtualService.HTTPMatch?) -> RouteMatch {
        var result = RouteMatch(path: path(match?.uri))
        guard let match else { return result }
        result.caseSensitive = !(match.ignoreUriCase ?? false)
        for (name, value) in (match.headers ?? [:]).sorted(by: { $0.key < $1.key }) {
            if let claim = ClaimRouting.matcher(name, value) {
                result.dynamicMetadata.append(claim)
                continue
            }
            result.headers.append(header(name.lowercased(), value))
        }
        for (name, value) in (match.withoutHeaders ?? [:]).sorted(by: { $0.key < $1.key }) {
            if let claim = ClaimRouting.matcher(name, value, invert: true) {
                result.dynamicMetadata.append(claim)
                continue
            }
            var matcher = header(name.lowercased(), value)
            if case .present = matcher.test {
                matcher.test = .present(false)
            } else {
                matcher.invert = true
                matcher.treatMissingAsEmpty = true
            }
            result.headers.append(matcher)
        }
        for (name, value) in [(":scheme", match.scheme), (":method", match.method), (":authority", match.authority)] {
            if let value, !value.isEmpty { result.headers.append(header(name, value)) }
        }
        for (name, value) in (match.queryParams ?? [:]).sorted(by: { $0.key < $1.key }) {
            result.queryParameters.append(
                QueryParameterMatcher(name: name, test: string(value).map { .string($0) } ?? .present(true)))
        }
        return result
    }

    /// True if every request matches.
    static func isCatchAll(_ match: RouteMatch) -> Bool {
        guard match.headers.isEmpty, match.queryParameters.isEmpty, match.dynamicMetadata.isEmpty else { return false }
        return switch match.path {
        case .prefix(let prefix): prefix == "/" || prefix.isEmpty
        case .regex(let pattern): pattern == ".*" || pattern == "/.*"
        default: false
        }
    }

    static func string(_ match: StringMatch) -> StringMatcher? {
        if let exact = match.exact { return StringMatcher(.exact(exact)) }
        if let prefix = match.prefix { return StringMatcher(.prefix(prefix)) }
        return match.regex.map { StringMatcher(.regex($0)) }
    }

    private static func path(_ match: StringMatch?) -> RouteMatch.Path {
        if let exact = match?.exact { return .exact(exact) }
        if let prefix = match?.prefix { return .prefix(prefix) }
        if let regex = match?.regex { return .regex(regex) }
        return .prefix("/")
    }

    private static func header(_ name: String, _ match: StringMatch) -> HeaderMatcher {
        HeaderMatcher(name: name, test: string(match).map { .string($0) } ?? .present(true))
    }
}
