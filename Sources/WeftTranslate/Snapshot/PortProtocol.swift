/// What a service's port speaks, as far as its declaration says.
package enum PortProtocol: String, Sendable, Hashable, Codable {
    case http, http2, grpc, grpcWeb, https, tls, tcp, udp
    /// Not declared: told from the first bytes of a connection.
    case sniffed

    package var isHTTP: Bool { self == .http || self == .http2 || self == .grpc || self == .grpcWeb }
    package var isHTTP2: Bool { self == .http2 || self == .grpc }
    package var isTLS: Bool { self == .https || self == .tls }

    /// Ports whose protocols let the server speak first: never sniffed.
    private static let serverFirstPorts: Set<Int> = [25, 53, 3306, 27017]

    /// Istio's rule: `appProtocol`, else the port's name up to its first dash, else sniffing.
    package static func declared(name: String?, appProtocol: String?, transport: String?, port: Int) -> PortProtocol {
        if transport?.uppercased() == "UDP" { return .udp }
        if let declared = appProtocol.flatMap({ parse($0.lowercased()) }) { return declared }
        let prefix = name.flatMap {
            $0.lowercased().split(separator: "-", omittingEmptySubsequences: false).first.map(String.init)
        }
        if let name, name.lowercased().hasPrefix("grpc-web") { return .grpcWeb }
        if let declared = prefix.flatMap(parse) { return declared }
        return serverFirstPorts.contains(port) ? .tcp : .sniffed
    }

    /// A protocol by the name that Gateways and ServiceEntries use.
    package static func parse(_ name: String) -> PortProtocol? {
        switch name.lowercased() {
        case "http", "kubernetes.io/ws", "http_proxy": .http
        case "http2", "kubernetes.io/h2c": .http2
        case "grpc": .grpc
        case "grpc-web": .grpcWeb
        case "https", "kubernetes.io/wss": .https
        case "tls": .tls
        case "tcp", "mongo", "redis", "mysql": .tcp
        case "udp": .udp
        default: nil
        }
    }
}
