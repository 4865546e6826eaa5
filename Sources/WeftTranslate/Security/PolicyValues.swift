import WeftConfig
import WeftIR

extension AuthorizationPolicy.Action {
    /// DENY and CUSTOM: who is not matched is not held up.
    var isGuard: Bool { self == .deny || self == .custom }
}

/// The forms in which AuthorizationPolicies write names, paths, hosts and addresses.
struct PolicyValues {
    /// Whether what does not match gets by: paths are compared more widely then.
    let isGuard: Bool
    /// The policy's own namespace.
    let namespace: String
    /// The mesh's trust domain first, its aliases after it.
    let trustDomains: [String]

    /// Istio's forms: exact, `abc*`, `*abc`, and `*` for anything that is there.
    static func string(_ value: String, ignoreCase: Bool = false) -> StringMatcher {
        if value == "*" { return StringMatcher(.regex(".+")) }
        if value.hasPrefix("*") { return StringMatcher(.suffix(String(value.dropFirst())), ignoreCase: ignoreCase) }
        if value.hasSuffix("*") { return StringMatcher(.prefix(String(value.dropLast())), ignoreCase: ignoreCase) }
        return StringMatcher(.exact(value), ignoreCase: ignoreCase)
    }

    static func header(_ name: String, _ value: String) -> HeaderMatcher {
        HeaderMatcher(name: name, test: value == "*" ? .present(true) : .string(string(value)))
    }

    // MARK: - Operations

    /// Whatever its case, with a port or without, with a final dot or without: it is the same host.
    static func host(_ value: String) -> Permission {
        let name = ":authority"
        func header(_ matcher: StringMatcher) -> Permission {
            .header(HeaderMatcher(name: name, test: .string(matcher)))
        }
        if value == "*" { return .header(HeaderMatcher(name: name, test: .present(true))) }
        let plain = string(value, ignoreCase: true)
        // A prefix says nothing about the end; a port that is written out is meant.
        if value.hasSuffix("*") || hasPort(value) { return header(plain) }
        let start = value.hasPrefix("*") ? ".*" : ""
        let text = value.hasPrefix("*") ? String(value.dropFirst()) : value
        return .or([header(plain), header(StringMatcher(.regex("(?i)\(start)\(escape(text))\\.?(:[0-9]*)?")))])
    }

    private static func hasPort(_ host: String) -> Bool {
        guard let colon = host.lastIndex(of: ":") else { return false }
        return !host[colon...].contains("]")
    }

    /// `{*}` stands for one segment and `{**}` for the rest of the path.
    ///
    /// Under DENY and CUSTOM the case of letters makes no difference: what the workload takes for the same resource must not get by.
    /// `notPaths` are exceptions from a refusal there, so they stay as strict as they are written.
    func path(_ value: String, negated: Bool = false) -> StringMatcher {
        let ignoreCase = isGuard && !negated
        guard value.contains("{*}") || value.contains("{**}") else { return Self.string(value, ignoreCase: ignoreCase) }
        var pattern = ignoreCase ? "(?i)" : ""
        var rest = Substring(value)
        while !rest.isEmpty {
            if rest.hasPrefix("{**}") {
                pattern += ".*"
                rest = rest.dropFirst(4)
            } else if rest.hasPrefix("{*}") {
                pattern += "[^/]+"
                rest = rest.dropFirst(3)
            } else {
                pattern += Self.escape(String(rest.removeFirst()))
            }
        }
        return StringMatcher(.regex(pattern))
    }

    /// Paths with a dot segment that carries a parameter (`/..;x/`): no proxy resolves them, some applications do.
    static let ambiguousPaths: [Permission] = [
        .urlPath(StringMatcher(.contains("/..;"))), .urlPath(StringMatcher(.contains("/.;"))),
    ]

    // MARK: - Peers

    /// Written without `spiffe://`. A name of one of the mesh's trust domains stands for all of them, because a workload
    /// keeps its rights while the mesh changes its name.
    func principal(_ value: String) -> Principal {
        // A name that is there: TLS without a certificate of the caller's is not enough.
        if value == "*" { return .authenticated(StringMatcher(.regex(".+"))) }
        if value.hasPrefix("*") { return .authenticated(StringMatcher(.suffix(String(value.dropFirst())))) }
        guard let slash = value.firstIndex(of: "/") else { return .authenticated(Self.string("spiffe://\(value)")) }
        let (domain, rest) = (String(value[..<slash]), value[slash...])
        guard domain == "cluster.local" || trustDomains.contains(domain) else {
            return .authenticated(Self.string("spiffe://\(value)"))
        }
        return any(trustDomains.map { .authenticated(Self.string("spiffe://\($0)\(rest)")) })
    }

    func namespace(_ value: String) -> Principal {
        authenticated("spiffe://[^/]+/ns/\(wild(value))/.*")
    }

    /// `[NAMESPACE/]ACCOUNT`; without a namespace it is the policy's. Everything is literal. `nil` if it is no account.
    func account(_ value: String) -> Principal? {
        let parts = value.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let account = parts.last, !value.contains("*"), !parts.contains("") else { return nil }
        let space = parts.count == 2 ? String(parts[0]) : namespace
        return authenticated("spiffe://[^/]+/ns/\(Self.escape(space))/sa/\(Self.escape(String(account)))")
    }

    func trustDomain(_ value: String) -> Principal { authenticated("spiffe://\(wild(value))/.*") }

    private func authenticated(_ pattern: String) -> Principal { .authenticated(StringMatcher(.regex(pattern))) }

    /// A star stands for any part of one segment, alone for a whole one.
    private func wild(_ value: String) -> String {
        if value == "*" { return "[^/]+" }
        return value.split(separator: "*", omittingEmptySubsequences: false).map { Self.escape(String($0)) }
            .joined(separator: "[^/]*")
    }

    private func any(_ all: [Principal]) -> Principal { all.count == 1 ? all[0] : .or(all) }

    static func escape(_ text: String) -> String {
        text.reduce(into: "") { $0 += "\\.+*?()|[]{}^$".contains($1) ? "\\\($1)" : String($1) }
    }
}

/// Address blocks: `10.0.0.0/8`, or one address.
enum AddressBlock {
    /// `nil` for what is none.
    static func parse(_ text: String) -> CIDR? {
        guard AddressRange.isValid(text) else { return nil }
        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
        let longest: UInt8 = text.contains(":") ? 128 : 32
        return CIDR(parts[0], prefixLength: parts.count == 2 ? UInt8(parts[1]) ?? longest : longest)
    }
}
