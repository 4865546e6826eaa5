import CWeftLinux
import NIOCore
import NIOPosix
import WeftIR

/// What a look-up found: at least one address, and for how long it may be used.
struct DNSResult: Sendable, Hashable {
    var addresses: [String]
    /// Seconds; the shortest of all records.
    var timeToLive: UInt32
}

/// Why a look-up found nothing, for the person who reads the log.
struct DNSFailure: Error, Sendable, Hashable { var reason: String }

/// Asks DNS servers for addresses, as resolv.conf says: search domains, several servers, retries, TCP when an answer is
/// too long for a datagram.
///
/// Loop-confined. Every look-up ends: tries and their time are bounded.
final class DNSResolver {
    typealias Completion = (Result<DNSResult, DNSFailure>) -> Void

    private let eventLoop: any EventLoop
    private let configuration: ResolverConfiguration
    /// The servers' port; another one only in tests.
    private let port: Int

    init(eventLoop: any EventLoop, configuration: ResolverConfiguration, port: Int = 53) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.port = port
    }

    func resolve(_ name: String, family: DNSOptions.Family, completion: @escaping Completion) {
        if let address = try? SocketAddress(ipAddress: name, port: 0), let ip = address.ipAddress {
            return completion(.success(DNSResult(addresses: [ip], timeToLive: .max)))
        }
        let known = configuration.hosts[name.lowercased()] ?? (name == "localhost" ? ["127.0.0.1"] : [])
        let wanted = known.filter { Self.allows(family, $0) }
        if !wanted.isEmpty { return completion(.success(DNSResult(addresses: wanted, timeToLive: .max))) }
        look(configuration.candidates(name)[...], family, completion)
    }

    private static func allows(_ family: DNSOptions.Family, _ ip: String) -> Bool {
        switch family {
        case .v4Only: !ip.contains(":")
        case .v6Only: ip.contains(":")
        case .auto, .v4Preferred, .all: true
        }
    }

    /// One candidate after the other; only a name that is not there moves on.
    private func look(_ names: ArraySlice<String>, _ family: DNSOptions.Family, _ completion: @escaping Completion) {
        guard let name = names.first else { return completion(.failure(DNSFailure(reason: "no such name"))) }
        both(name, family) { [self] result in
            switch result {
            case .success(let found): completion(.success(found))
            case .failure(let failure):
                guard names.count > 1 else { return completion(.failure(failure)) }
                look(names.dropFirst(), family, completion)
            }
        }
    }

    private func both(_ name: String, _ family: DNSOptions.Family, _ completion: @escaping Completion) {
        let order: [DNSMessage.Kind] =
            switch family {
            case .v4Only: [.a]
            case .v6Only: [.aaaa]
            case .auto: [.aaaa, .a]
            case .v4Preferred, .all: [.a, .aaaa]
            }
        let wantsAll = family == .all
        var found: [DNSMessage.Record] = []
        func next(_ kinds: ArraySlice<DNSMessage.Kind>, _ last: DNSFailure?) {
            if let kind = kinds.first, found.isEmpty || wantsAll {
                return ask(name, kind) { result in
                    if case .success(let records) = result { found += records }
                    if case .failure(let failure) = result { return next(kinds.dropFirst(), failure) }
                    next(kinds.dropFirst(), last)
                }
            }
            guard let life = found.map(\.timeToLive).min() else {
                return completion(.failure(last ?? DNSFailure(reason: "\(name) has no address")))
            }
            completion(.success(DNSResult(addresses: found.map(\.address), timeToLive: life)))
        }
        next(order[...], nil)
    }

    private func ask(
        _ name: String, _ kind: DNSMessage.Kind,
        _ completion: @escaping (Result<[DNSMessage.Record], DNSFailure>) -> Void
    ) {
        let tries = (0..<configuration.attempts).flatMap { _ in configuration.servers }
        func next(_ servers: ArraySlice<String>, _ last: String) {
            guard let server = servers.first else {
                return completion(.failure(DNSFailure(reason: "\(name): \(last)")))
            }
            exchange(name, kind, server) { result in
                switch result {
                case .success(let records): completion(.success(records))
                case .failure(.noSuchName): completion(.failure(DNSFailure(reason: "\(name): no such name")))
                case .failure(let problem): next(servers.dropFirst(), "\(server) says \(problem)")
                case nil: next(servers.dropFirst(), "\(server) does not answer")
                }
            }
        }
        next(tries[...], "no server")
    }

    /// - Parameter completion: `nil` when no answer came.
    private func exchange(
        _ name: String, _ kind: DNSMessage.Kind, _ server: String,
        _ completion: @escaping (Result<[DNSMessage.Record], DNSMessage.Problem>?) -> Void
    ) {
        var random = SystemRandomNumberGenerator()
        guard let query = DNSMessage.query(name, kind: kind, id: random.next()),
            let address = try? SocketAddress(ipAddress: server, port: port)
        else { return completion(.failure(.malformed)) }
        let timeout = TimeAmount.seconds(Int64(configuration.timeoutSeconds))
        DNSExchange(query: query, kind: kind, server: address, isStream: false, eventLoop: eventLoop, timeout: timeout)
        {
            [self] result in
            guard case .failure(.truncated)? = result else { return completion(result) }
            DNSExchange(
                query: query, kind: kind, server: address, isStream: true, eventLoop: eventLoop, timeout: timeout,
                completion: completion
            ).start()
        }.start()
    }
}
