/// The token of an `authorization: Bearer …` header (RFC 6750 section 2.1), as HTTP requests and gRPC metadata carry it.
package enum BearerToken {
    /// The first bearer token among the header's values; the scheme's case does not matter, an empty token is none.
    package static func read(_ values: some Sequence<String>) -> String? {
        for value in values {
            let parts = value.split(separator: " ", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "bearer", !parts[1].isEmpty { return String(parts[1]) }
        }
        return nil
    }
}
