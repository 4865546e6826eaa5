import NIOCore
import WeftCore

/// `/listeners`: which addresses are listened on.
enum ListenersPage {
    static func reply(_ plane: DataPlane, asJSON: Bool) -> AdminReply {
        let all = plane.bound.sorted { $0.key < $1.key }.map { name, addresses in
            (name, Set(addresses.map(text)).sorted(), addresses)
        }
        guard asJSON else {
            return AdminReply(all.map { "\($0.0)::\($0.1.joined(separator: ","))\n" }.joined())
        }
        let statuses = all.map { name, texts, addresses -> JSONValue in
            let places = texts.compactMap { wanted in addresses.first { text($0) == wanted } }.map(json)
            var status: [String: JSONValue] = ["name": .string(name)]
            status["local_address"] = places.first
            if places.count > 1 { status["additional_local_addresses"] = .array(Array(places.dropFirst())) }
            return .object(status)
        }
        return AdminReply(json: JSONValue.object(["listener_statuses": .array(statuses)]).text(pretty: true))
    }

    /// An address and port, or the path of a Unix socket.
    private static func text(_ address: SocketAddress) -> String {
        if let ip = address.ipAddress { return "\(ip):\(address.port ?? 0)" }
        return address.pathname ?? ""
    }

    static func json(_ address: SocketAddress) -> JSONValue {
        guard let ip = address.ipAddress else { return ["pipe": ["path": .string(address.pathname ?? "")]] }
        return ["socket_address": ["address": .string(ip), "port_value": .int(Int64(address.port ?? 0))]]
    }
}
