import WeftConfig
import WeftIR

/// Matches of HTTPRoutes and GRPCRoutes as the proxy needs them, with the rank that the Gateway API gives them.
enum GatewayRouteMatches {
    /// Compared element by element; the larger one goes first.
    typealias Rank = [Int]

    /// Path kind and length, method, number of headers, number of query parameters.
    static func http(_ match: GatewayAPI.HTTPMatch?) -> (RouteMatch, Rank) {
        let value = match?.path?.value ?? "/"
        var result: RouteMatch
        var rank: Rank
        switch match?.path?.type ?? "PathPrefix" {
        case "Exact":
            result = RouteMatch(path: .exact(value))
            rank = [3, value.utf8.count]
        case "RegularExpression":
            result = RouteMatch(path: .regex(value))
            rank = [2, value.utf8.count]
        default:
            let prefix = trimmed(value)
            result = RouteMatch(path: prefix.isEmpty ? .prefix("/") : .pathSeparatedPrefix(prefix))
            rank = [1, max(1, prefix.utf8.count)]
        }
        if let method = match?.method {
            result.headers.append(HeaderMatcher(name: ":method", test: .string(StringMatcher(.exact(method)))))
        }
        let headers = headers(match?.headers)
        result.headers += headers
        result.queryParameters = distinct(match?.queryParams, by: \.name).map {
            QueryParameterMatcher(name: $0.name, test: .string(string($0)))
        }
        rank += [match?.method == nil ? 0 : 1, headers.count, result.queryParameters.count]
        return (result, rank)
    }

    /// Length of the service, of the method, number of headers.
    static func grpc(_ match: GatewayAPI.GRPCMatch?) -> (RouteMatch, Rank) {
        let method = match?.method
        let isRegex = method?.type == "RegularExpression"
        let (service, call) = (
            method?.service.flatMap { $0.isEmpty ? nil : $0 }, method?.method.flatMap { $0.isEmpty ? nil : $0 }
        )
        let path: RouteMatch.Path =
            switch (service, call) {
            case (let service?, let call?) where !isRegex: .exact("/\(service)/\(call)")
            case (let service?, nil) where !isRegex: .prefix("/\(service)/")
            case (nil, nil): .prefix("/")
            default: .regex("/\(service ?? "[^/]+")/\(call.map { isRegex ? $0 : escaped($0) } ?? "[^/]+")")
            }
        var result = RouteMatch(path: path)
        result.grpcOnly = true
        result.headers = headers(match?.headers)
        return (
            result,
            [isRegex ? 0 : 1, service?.utf8.count ?? 0, call?.utf8.count ?? 0, result.headers.count]
        )
    }

    static func trimmed(_ prefix: String) -> String {
        var text = Substring(prefix)
        while text.hasSuffix("/") { text = text.dropLast() }
        return String(text)
    }

    private static func headers(_ matches: [GatewayAPI.ValueMatch]?) -> [HeaderMatcher] {
        distinct(matches) { $0.name.lowercased() }.map {
            HeaderMatcher(name: $0.name.lowercased(), test: .string(string($0)))
        }
    }

    private static func string(_ match: GatewayAPI.ValueMatch) -> StringMatcher {
        StringMatcher(match.type == "RegularExpression" ? .regex(match.value) : .exact(match.value))
    }

    /// Of several entries with one name only the first counts.
    private static func distinct(_ matches: [GatewayAPI.ValueMatch]?, by key: (GatewayAPI.ValueMatch) -> String)
        -> [GatewayAPI.ValueMatch]
    {
        var seen: Set<String> = []
        return (matches ?? []).filter { seen.insert(key($0)).inserted }
    }

    /// Plain text as a regular expression for itself.
    static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            if "\\.+*?()|[]{}^$".contains(character) { result.append("\\") }
            result.append(character)
        }
    }
}
