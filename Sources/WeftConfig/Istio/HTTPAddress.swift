/// The parts of `http://HOST[:PORT]/PATH` or `https://…` that a connection needs.
package struct HTTPAddress: Sendable, Hashable {
    package var isSecure: Bool
    /// Lower case; an IPv6 address without its brackets.
    package var host: String
    package var port: Int

    /// - Returns: `nil` for another scheme, a missing host, user information, or a port that is none.
    package init?(_ uri: String) {
        let lowered = uri.lowercased()
        guard let scheme = ["https://", "http://"].first(where: lowered.hasPrefix) else { return nil }
        isSecure = scheme == "https://"
        let authority = lowered.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let isClean = authority.utf8.allSatisfy { $0 > 32 && $0 < 127 }
        guard isClean, !authority.contains("@"), !authority.isEmpty else { return nil }
        var name = authority
        var number: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            name = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":") else { return nil }
                number = rest.dropFirst()
            }
        } else if let colon = authority.firstIndex(of: ":") {
            name = authority[..<colon]
            number = authority[authority.index(after: colon)...]
        }
        guard !name.isEmpty else { return nil }
        host = String(name)
        if let number {
            guard let port = Int(number), (1...65_535).contains(port) else { return nil }
            self.port = port
        } else {
            port = isSecure ? 443 : 80
        }
    }
}
