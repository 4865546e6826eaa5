import WeftConfig
import WeftIR

/// Filters of the Gateway API as properties of the proxy's routes.
enum GatewayRouteFilters {
    /// - Parameter host: receives the new authority if the changes set `Host`.
    static func mutations(_ filter: GatewayAPI.HeaderFilter?, host: inout String?) -> HeaderMutations {
        var result = HeaderMutations()
        for header in filter?.set ?? [] {
            if header.name.lowercased() == "host" {
                host = header.value
            } else {
                result.append.append(
                    .init(name: header.name.lowercased(), value: literal(header.value), action: .overwriteIfExistsOrAdd)
                )
            }
        }
        for header in filter?.add ?? [] where header.name.lowercased() != "host" {
            result.append.append(
                .init(name: header.name.lowercased(), value: literal(header.value), action: .appendIfExistsOrAdd))
        }
        result.remove = (filter?.remove ?? []).map { $0.lowercased() }
        return result
    }

    static func mutations(_ filter: GatewayAPI.HeaderFilter?) -> HeaderMutations {
        var ignored: String?
        return mutations(filter, host: &ignored)
    }

    /// The Gateway API has no operators in values: a percent sign is one.
    private static func literal(_ value: String) -> String { value.replacing("%", with: "%%") }

    // MARK: - Paths

    /// - Parameter match: a prefix can only be replaced where one was matched.
    static func rewrite(_ modifier: GatewayAPI.PathModifier?, match: RouteMatch) -> RouteAction.PathRewrite? {
        switch modifier?.type {
        case "ReplaceFullPath": .regex(pattern: "^.*$", substitution: substitution(modifier?.replaceFullPath ?? "/"))
        case "ReplacePrefixMatch":
            switch prefix(modifier?.replacePrefixMatch ?? "", match: match) {
            case .plain(let text): .prefix(text)
            case .regex(let pattern, let substitution): .regex(pattern: pattern, substitution: substitution)
            }
        default: nil
        }
    }

    static func redirectPath(_ modifier: GatewayAPI.PathModifier?, match: RouteMatch) -> Redirect.Path? {
        switch modifier?.type {
        case "ReplaceFullPath": .full(modifier?.replaceFullPath ?? "/")
        case "ReplacePrefixMatch":
            switch prefix(modifier?.replacePrefixMatch ?? "", match: match) {
            case .plain(let text): .prefix(text)
            case .regex(let pattern, let substitution): .regex(pattern: pattern, substitution: substitution)
            }
        default: nil
        }
    }

    private enum PrefixChange {
        case plain(String)
        case regex(String, String)
    }

    /// A prefix ends at a segment, so that neither a doubled nor a missing slash appears at the seam.
    private static func prefix(_ replacement: String, match: RouteMatch) -> PrefixChange {
        let new = GatewayRouteMatches.trimmed(replacement)
        guard case .pathSeparatedPrefix(let old) = match.path else {
            return .regex("^/(.*)$", substitution(new) + "/\\1")
        }
        guard new.isEmpty else { return .plain(new) }
        return .regex("^\(GatewayRouteMatches.escaped(old))/?(.*)$", "/\\1")
    }

    private static func substitution(_ text: String) -> String { text.replacing("\\", with: "\\\\") }

    // MARK: - Redirects

    /// The port goes into the answer unless it is the scheme's own.
    static func redirect(
        _ filter: GatewayAPI.RedirectFilter, match: RouteMatch, listenerPort: Int, isTLS: Bool
    ) -> Redirect {
        var redirect = Redirect()
        redirect.status = UInt16(clamping: filter.statusCode ?? 302)
        redirect.scheme = filter.scheme?.lowercased()
        redirect.host = filter.hostname
        redirect.path = redirectPath(filter.path, match: match)
        let scheme = redirect.scheme ?? (isTLS ? "https" : "http")
        let usual = scheme == "https" ? 443 : 80
        let port = filter.port ?? (filter.scheme == nil ? listenerPort : usual)
        if port != usual { redirect.port = UInt16(clamping: port) }
        return redirect
    }

    // MARK: - CORS and mirrors

    static func cors(_ filter: GatewayAPI.CORSFilter) -> CORSPolicy {
        var policy = CORSPolicy()
        policy.allowOrigins = (filter.allowOrigins ?? []).map { origin in
            if origin == "*" { return StringMatcher(.regex(".*")) }
            guard origin.contains("*") else { return StringMatcher(.exact(origin), ignoreCase: true) }
            let parts = origin.split(separator: "*", omittingEmptySubsequences: false).map(String.init)
            return StringMatcher(.regex(parts.map(GatewayRouteMatches.escaped).joined(separator: ".+")))
        }
        policy.allowMethods = (filter.allowMethods ?? []).joined(separator: ",")
        policy.allowHeaders = (filter.allowHeaders ?? []).joined(separator: ",")
        policy.exposeHeaders = (filter.exposeHeaders ?? []).joined(separator: ",")
        policy.maxAge = String(filter.maxAge ?? 5)
        policy.allowCredentials = filter.allowCredentials ?? false
        policy.forwardNotMatchingPreflights = false
        return policy
    }

    static func share(_ mirror: GatewayAPI.MirrorFilter) -> FractionalPercent {
        if let fraction = mirror.fraction {
            return FractionalPercent(
                percent: Double(fraction.numerator) * 100 / Double(max(1, fraction.denominator ?? 100)))
        }
        return FractionalPercent(percent: Double(mirror.percent ?? 100))
    }
}
