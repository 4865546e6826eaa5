import NIOCore
import NIOSSL
import WeftIR
import WeftRouting
import WeftXDS

/// Says of one resource why it cannot be served, before it is: the answer becomes its NACK. Pure.
///
/// Access rules whose patterns do not compile are not refused here: to keep the old listener would keep the old rules,
/// while the new one refuses what they match (fail closed).
enum ResourceCheck {
    /// - Parameter tables: Where a route table is compiled for the check, so that serving it needs not do it again.
    static func problem(_ resource: DecodedResource, _ tables: RouteTables = RouteTables()) -> String? {
        switch resource {
        case .listener(let listener): problem(listener)
        case .route(let table): problem(table, tables)
        case .scope(let scope): problem(scope)
        case .secret(let secret): problem(secret)
        case .cluster, .endpoints, .names: nil
        }
    }

    /// The same for a whole configuration, as sentences.
    static func problems(_ configuration: ProxyConfiguration) -> [String] {
        let listeners = configuration.listeners.values.map { ("listener", DecodedResource.listener($0)) }
        let routes = configuration.routes.values.map { ("route table", DecodedResource.route($0)) }
        let secrets = configuration.secrets.values.map { ("secret", DecodedResource.secret($0)) }
        return (listeners + routes + secrets).compactMap { kind, resource in
            problem(resource).map { "\(kind) \(resource.name): \($0)" }
        }.sorted()
    }

    private static func problem(_ listener: Listener) -> String? {
        for case .ip(let ip, let port) in [listener.address] + listener.additionalAddresses {
            if (try? SocketAddress(ipAddress: ip, port: Int(port))) == nil {
                return "address \"\(ip)\" is not an IP address"
            }
        }
        if let first = FilterChainMatcher(listener.filterChains).problems.first { return first }
        return listener.managers.lazy.compactMap { manager in
            switch manager.routes {
            case .inline(let table): problem(table, RouteTables())
            case .scoped(let scoped): (scoped.scopes ?? []).lazy.compactMap { problem($0) }.first
            case .rds: nil
            }
        }.first
    }

    private static func problem(_ scope: RouteScope) -> String? {
        guard case .inline(let table) = scope.table else { return nil }
        return problem(table, RouteTables()).map { "scope \(scope.name): \($0)" }
    }

    /// Patterns must compile, and no domain may be served twice.
    private static func problem(_ table: RouteConfiguration, _ tables: RouteTables) -> String? {
        let table = tables.check(table)
        return table.repeatedDomain ?? table.problems.first
    }

    private static func problem(_ secret: Secret) -> String? {
        do {
            switch secret.content {
            case .certificate(let chain, let key):
                _ = try NIOSSLCertificate.fromPEMBytes(Array(chain.utf8))
                _ = try NIOSSLPrivateKey(bytes: key.bytes, format: .pem)
            case .validation(let authority, _, _): _ = try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8))
            // Read when it is used; what is wrong then is told then.
            case .certificateFrom, .validationFrom, .ticketKeysFrom: break
            case .ticketKeys(let keys):
                if keys.isEmpty || keys.contains(where: { $0.bytes.count != 80 }) {
                    return "session ticket keys must have 80 bytes each"
                }
            }
            return nil
        } catch {
            return "is no certificate and key in PEM form: \(error)"
        }
    }
}
