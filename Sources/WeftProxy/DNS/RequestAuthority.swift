/// Cuts an authority into host and port (RFC 3986 section 3.2.2); brackets of IPv6 addresses go.
enum RequestAuthority {
    static func split(_ authority: String) -> (host: String, port: Int?) {
        var host = Substring(authority)
        var port: Int?
        if let colon = host.lastIndex(of: ":"), !host[colon...].contains("]") {
            let digits = host[host.index(after: colon)...]
            // More than one colon without brackets is a bare IPv6 address.
            if !host[..<colon].contains(":") || host.hasPrefix("[") {
                port = Int(digits).flatMap { (1...65_535).contains($0) ? $0 : nil }
                host = host[..<colon]
            }
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return (String(host), port)
    }
}
