import NIOCore
import WeftCore
package import WeftHTTP
import WeftIR

/// A hash policy ready to run (`RouteAction.HashPolicy`).
package struct CompiledHashPolicy: Sendable {
    private let policy: HashPolicy
    private let name: HeaderName
    private let parameter: [UInt8]
    private let rewrite: RegexReplacement?
    let problem: String?

    init(_ policy: HashPolicy) {
        self.policy = policy
        var rewrite: RegexReplacement?
        var problem: String?
        switch policy {
        case .header(let name, _): (self.name, parameter) = (HeaderName(name), [])
        case .rewrittenHeader(let name, let pattern, let substitution, _):
            (self.name, parameter) = (HeaderName(name), [])
            do { rewrite = try RegexReplacement(pattern, substitution: substitution) } catch {
                problem = "the hash policy's pattern: \(error.message)"
            }
        case .queryParameter(let name, _): (self.name, parameter) = (HeaderName(""), Array(name.utf8))
        case .cookie(let name, _, _, _, _): (self.name, parameter) = (.cookie, Array(name.utf8))
        case .sourceIP, .filterState: (self.name, parameter) = (HeaderName(""), [])
        }
        self.rewrite = rewrite
        self.problem = problem
    }

    var isTerminal: Bool {
        switch policy {
        case .header(_, let terminal), .cookie(_, _, _, let terminal, _), .sourceIP(let terminal),
            .queryParameter(_, let terminal), .filterState(_, let terminal), .rewrittenHeader(_, _, _, let terminal):
            terminal
        }
    }

    fileprivate func hash(_ head: RequestHead, _ client: RequestHash.Client, _ made: inout [String]) -> UInt64? {
        switch policy {
        case .header(":authority", _), .header("host", _): XXHash64.hash(Array(head.authority.readableBytesView))
        case .header(":path", _): XXHash64.hash(Array(head.path.readableBytesView))
        case .header(":method", _): XXHash64.hash(head.method.description)
        case .header: header(head)
        case .rewrittenHeader: header(head)
        case .sourceIP: client.ip.isEmpty ? nil : XXHash64.hash(client.ip)
        case .queryParameter:
            PathAndQuery.parameter(parameter, in: head.path).map { XXHash64.hash(Array($0)) }
        case .cookie(let name, let lifetime, let path, _, let attributes):
            cookie(head, name: name, lifetime: lifetime, path: path, attributes, client, &made)
        case .filterState(let key, _): client.state[key].map { XXHash64.hash($0) }
        }
    }

    /// Several values are hashed in the order of their bytes, so that their order on the wire does not matter.
    private func header(_ head: RequestHead) -> UInt64? {
        guard let first = head.headers.index(of: name) else { return nil }
        func bytes(_ value: ByteBufferView) -> [UInt8] { rewrite?.apply(to: Array(value)) ?? Array(value) }
        guard head.headers.index(of: name, from: first + 1) != nil else {
            return XXHash64.hash(bytes(head.headers.value(at: first)))
        }
        let values = head.headers.values(name).map(bytes).sorted { $0.lexicographicallyPrecedes($1) }
        return values.reduce(0) { XXHash64.hash($1, seed: $0) }
    }

    private func cookie(
        _ head: RequestHead, name: String, lifetime: UInt64?, path: String,
        _ attributes: [StatefulSession.Cookie.Attribute], _ client: RequestHash.Client, _ made: inout [String]
    ) -> UInt64? {
        if let value = RequestHash.cookie(parameter, in: head.headers) { return XXHash64.hash(value) }
        guard let lifetime, !client.address.isEmpty else { return nil }
        let digits = String(XXHash64.hash(client.address + client.localAddress), radix: 16)
        let value = String(repeating: "0", count: 16 - digits.count) + digits
        var line = "\(name)=\"\(value)\""
        if lifetime >= 1_000 { line += "; Max-Age=\(lifetime / 1_000)" }
        if !path.isEmpty { line += "; Path=\(path)" }
        for attribute in attributes { line += "; \(attribute)" }
        made.append(line + "; HttpOnly")
        return XXHash64.hash(value)
    }
}

/// The hash of a request for ring hash and maglev, as Envoy reckons it.
package struct RequestHash: Sendable {
    /// What is hashed of the connection.
    package struct Client: Sendable {
        package var ip: String
        /// Addresses with ports, for generated cookies.
        package var address: String
        package var localAddress: String
        package var state: [String: String] = [:]
        package init(ip: String, address: String, localAddress: String) {
            self.ip = ip
            self.address = address
            self.localAddress = localAddress
        }
    }
    /// `nil` when no policy found anything to hash.
    package var value: UInt64?
    /// `set-cookie` lines for the response, so that the client comes back to the same host.
    package var cookies: [String] = []

    package init(_ policies: [CompiledHashPolicy], head: RequestHead, client: Client) {
        for policy in policies {
            if let hash = policy.hash(head, client, &cookies) {
                value = value.map { ($0 << 1 | $0 >> 63) ^ hash } ?? hash
            }
            if policy.isTerminal, value != nil { return }
        }
    }

    static func cookie(_ name: [UInt8], in headers: HeaderBlock) -> [UInt8]? {
        for line in headers.values(.cookie) {
            for pair in line.split(separator: UInt8(ascii: ";")) {
                let pair = HeaderBlock.trimmed(pair)
                guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else { continue }
                guard pair[pair.startIndex..<equals].elementsEqual(name) else { continue }
                var value = pair[pair.index(after: equals)...]
                if value.count >= 2, value.first == 34, value.last == 34 { value = value.dropFirst().dropLast() }
                return Array(value)
            }
        }
        return nil
    }
}
