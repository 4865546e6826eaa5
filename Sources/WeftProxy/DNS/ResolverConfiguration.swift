/// What `/etc/resolv.conf` and `/etc/hosts` say (resolv.conf(5)).
struct ResolverConfiguration: Sendable, Hashable {
    var servers: [String] = []
    var search: [String] = []
    /// Names with fewer dots are first tried with the search domains.
    var minimumDots = 1
    var timeoutSeconds = 5
    var attempts = 2
    /// Addresses of names that need no server.
    var hosts: [String: [String]] = [:]

    init() {}

    /// - Parameters:
    ///   - text: The content of `/etc/resolv.conf`.
    ///   - hosts: The content of `/etc/hosts`.
    init(_ text: String, hosts: String = "") {
        for line in text.split(whereSeparator: \.isNewline) {
            let words = Self.words(line)
            switch words.first {
            case "nameserver": servers += words.dropFirst().prefix(1)
            case "search", "domain": search = Array(words.dropFirst())
            case "options": for option in words.dropFirst() { read(option: option) }
            default: break
            }
        }
        for line in hosts.split(whereSeparator: \.isNewline) {
            let words = Self.words(line)
            for name in words.dropFirst() { self.hosts[name.lowercased(), default: []] += words.prefix(1) }
        }
        servers = Array(servers.prefix(3))
        if servers.isEmpty { servers = ["127.0.0.1"] }
    }

    private static func words(_ line: Substring) -> [String] {
        let content = line.prefix { $0 != "#" && $0 != ";" }
        return content.split { $0 == " " || $0 == "\t" }.map(String.init)
    }

    private mutating func read(option: String) {
        let parts = option.split(separator: ":")
        guard parts.count == 2, let value = Int(parts[1]) else { return }
        switch parts[0] {
        case "ndots": minimumDots = min(15, max(0, value))
        case "timeout": timeoutSeconds = min(30, max(1, value))
        case "attempts": attempts = min(5, max(1, value))
        default: break
        }
    }

    /// The names to ask for, in order.
    func candidates(_ name: String) -> [String] {
        if name.hasSuffix(".") { return [name] }
        let searched = search.filter { $0 != "." }.map { "\(name).\($0)" }
        let dots = name.count { $0 == "." }
        return dots >= minimumDots ? [name] + searched : searched + [name]
    }
}
