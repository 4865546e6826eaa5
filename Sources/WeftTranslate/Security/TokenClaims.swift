import WeftIR

/// Matches on what a checked token said, which the token filter leaves as dynamic metadata of the request.
enum TokenClaims {
    /// The name of the filter whose metadata it is.
    static let filter = "envoy.filters.http.jwt_authn"
    /// The key under which the filter puts the claims.
    static let payload = "payload"

    /// A claim that is `test`, or a list with such an element.
    static func matcher(_ path: [String], _ test: StringMatcher?, invert: Bool = false) -> DynamicMetadataMatcher {
        DynamicMetadataMatcher(
            filter: filter, path: [payload] + path,
            test: test.map { .any([.string($0), .list(.string($0))]) } ?? .present(true), invert: invert)
    }

    /// Who the token is about: the text `ISSUER/SUBJECT`, in Istio's forms (exact, `abc*`, `*abc`, `*`).
    ///
    /// Metadata holds the two apart, and either may have slashes, so that each place where the text can be cut is tried.
    static func principal(_ value: String) -> Principal {
        if value == "*" { return both(nil, nil) }
        if value.hasSuffix("*") {
            let text = value.dropLast()
            let cuts = cuts(text).map { both(StringMatcher(.exact($0)), prefix($1)) }
            return any(cuts + [both(prefix(String(text)), nil)])
        }
        if value.hasPrefix("*") {
            let text = value.dropFirst()
            let cuts = cuts(text).map { both(suffix($0), StringMatcher(.exact($1))) }
            return any(cuts + [both(nil, suffix(String(text)))])
        }
        return any(cuts(Substring(value)).map { both(StringMatcher(.exact($0)), StringMatcher(.exact($1))) })
    }

    private static func cuts(_ text: Substring) -> [(String, String)] {
        text.indices.filter { text[$0] == "/" }.map {
            (String(text[..<$0]), String(text[text.index(after: $0)...]))
        }
    }

    /// `nil`: anything.
    private static func prefix(_ text: String) -> StringMatcher? { text.isEmpty ? nil : StringMatcher(.prefix(text)) }
    private static func suffix(_ text: String) -> StringMatcher? { text.isEmpty ? nil : StringMatcher(.suffix(text)) }

    private static func both(_ issuer: StringMatcher?, _ subject: StringMatcher?) -> Principal {
        .and(
            [("iss", issuer), ("sub", subject)].map { name, test in
                .metadata(
                    DynamicMetadataMatcher(
                        filter: filter, path: [payload, name], test: test.map { .string($0) } ?? .present(true)))
            })
    }

    /// A text without a slash is nobody's name.
    private static func any(_ all: [Principal]) -> Principal {
        all.isEmpty ? .not(.any) : (all.count == 1 ? all[0] : .or(all))
    }

    /// The path in `[a][b]`; `nil` if the brackets are not in order.
    static func bracketed(_ text: Substring) -> [String]? {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return nil }
        let parts = text.dropFirst().dropLast().split(separator: "][", omittingEmptySubsequences: false)
        let names = parts.map(String.init)
        let isPlain = names.allSatisfy { !$0.isEmpty && !$0.contains("[") && !$0.contains("]") }
        return isPlain ? names : nil
    }
}
