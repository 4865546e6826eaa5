package import NIOCore
package import WeftCore
package import WeftIR

/// Cuts request targets into path and query.
package enum PathAndQuery {
    package static func path(_ target: ByteBuffer) -> ByteBufferView {
        let all = target.readableBytesView
        return all[all.startIndex..<(all.firstIndex { $0 == 63 || $0 == 35 } ?? all.endIndex)]
    }

    /// The raw value of the first parameter `name`; empty when it has none.
    package static func parameter(_ name: [UInt8], in target: ByteBuffer) -> ByteBufferView? {
        let all = target.readableBytesView
        guard let mark = all.firstIndex(of: 63) else { return nil }
        for pair in all[all.index(after: mark)...].split(separator: 38) {
            let equals = pair.firstIndex(of: 61) ?? pair.endIndex
            if pair[pair.startIndex..<equals].elementsEqual(name) {
                return equals == pair.endIndex ? ByteBufferView() : pair[pair.index(after: equals)...]
            }
        }
        return nil
    }
}

/// Path rewrites of routes and redirects.
package enum PathRewriter {
    /// Replaces what `match` matched at the start of `path`: a prefix, or the whole path; the query stays.
    package static func replacePrefix(of path: String, matched match: RouteMatch, by replacement: String) -> String {
        switch match.path {
        case .prefix(let old), .pathSeparatedPrefix(let old):
            // The match may have ignored case, so only its length counts.
            return replacement + String(decoding: path.utf8.dropFirst(old.utf8.count), as: UTF8.self)
        case .exact, .regex, .template:
            return replacement + path[(path.firstIndex { $0 == "?" || $0 == "#" } ?? path.endIndex)...]
        case .connect: return path
        }
    }

    /// Applies a pattern to the path of `target`; query and fragment stay, and are not looked at.
    package static func replace(in target: String, with replacement: RegexReplacement) -> String {
        let end = target.firstIndex { $0 == "?" || $0 == "#" } ?? target.endIndex
        return String(decoding: replacement.apply(to: Array(target[..<end].utf8)), as: UTF8.self) + target[end...]
    }
}

/// What a redirect's `Location` says (`envoy.config.route.v3.RedirectAction`).
package struct RedirectTarget: Sendable {
    package var scheme: String
    package var authority: String
    /// Path and query.
    package var path: String
    package init(scheme: String, authority: String, path: String) {
        self.scheme = scheme
        self.authority = authority
        self.path = path
    }

    /// - Parameter self: The request as it came.
    package func location(_ redirect: Redirect, decision: RouteDecision) -> String {
        let scheme = redirect.httpsRedirect ? "https" : redirect.scheme ?? self.scheme
        let port = redirect.port.map { ":\($0)" } ?? ""
        var host = redirect.host ?? authority
        if redirect.host == nil { host = withoutPort(host, scheme: scheme, replaced: !port.isEmpty) }
        let path = path(redirect, decision)
        // A rewrite may have eaten the slash that parts the host from the path.
        return "\(scheme)://\(host)\(port)\(path.hasPrefix("/") ? path : "/" + path)"
    }

    /// Path and query after `prefix_rewrite` or `regex_rewrite`; `nil` when the redirect has neither.
    package static func rewritten(_ path: String, _ redirect: Redirect, _ decision: RouteDecision) -> String? {
        switch redirect.path {
        case .prefix(let new): return PathRewriter.replacePrefix(of: path, matched: decision.route.match, by: new)
        case .regex: return decision.redirectRewrite.map { PathRewriter.replace(in: path, with: $0) }
        case .full, nil: return nil
        }
    }

    /// A port that the new one replaces goes, and one that was the old scheme's default.
    private func withoutPort(_ host: String, scheme: String, replaced: Bool) -> String {
        guard let colon = host.lastIndex(of: ":"), host[host.index(after: colon)...].allSatisfy(\.isNumber) else {
            return host
        }
        let old = host[host.index(after: colon)...]
        let wasDefault = scheme != self.scheme && old == (self.scheme == "https" ? "443" : "80")
        return replaced || wasDefault ? String(host[..<colon]) : host
    }

    private func path(_ redirect: Redirect, _ decision: RouteDecision) -> String {
        if case .full(let new)? = redirect.path {
            // A query of the redirect's own is kept whatever else is said.
            let cut = path.firstIndex(of: "?") ?? path.endIndex
            return new.contains("?") || redirect.stripQuery ? new : new + path[cut...]
        }
        let result = Self.rewritten(path, redirect, decision) ?? path
        guard redirect.stripQuery, let mark = result.firstIndex(of: "?") else { return result }
        return String(result[..<mark])
    }
}
