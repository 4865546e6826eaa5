import Foundation
import SwiftProtobuf
import Synchronization
import WeftIR
import WeftProto

/// Decodes route tables one virtual host at a time, and keeps those whose bytes are what they were.
///
/// A table of a mesh holds thousands of routes, and most updates change a few of them. What is kept are digests of the
/// bytes and the decoded hosts, which the configuration in force shares; of the last ``tableLimit`` tables by name.
/// Routes of a large table that have the same bytes, as those of many services have, are decoded once (ADR 0071).
/// The result is the same as decoding everything anew. Thread-safe.
final class RouteTableDecoder: Sendable {
    /// Two independent keyed hashes: as good as comparing the bytes, without keeping them.
    private struct Digest: Hashable {
        let first: Int
        let second: Int
        let length: Int

        init(_ bytes: Data) {
            length = bytes.count
            (first, second) = bytes.withUnsafeBytes { raw in
                func hash(_ seed: Int) -> Int {
                    var hasher = Hasher()
                    hasher.combine(seed)
                    hasher.combine(bytes: raw)
                    return hasher.finalize()
                }
                return (hash(1), hash(2))
            }
        }
    }

    private struct DecodedHost: Sendable {
        var host: VirtualHost
        var warnings: [String]
        var ignoredFields: [String]
    }

    private struct State {
        var tables: [String: [Digest: DecodedHost]] = [:]
        /// Names of the tables, the one that came last at the end.
        var order: [String] = []
    }

    private static let tableLimit = 256
    private static let virtualHostsField = 2
    private static let routesField = 3
    private let state = Mutex(State())
    /// For tables of many hosts; the others do without its making.
    private static let shape = WireShape(of: WireRoute.VirtualHost.protoMessageName)
    private static let manyHosts = 64

    func decode(_ bytes: Data, _ reader: WireReader) throws -> RouteConfiguration {
        guard let parts = RepeatedField.split(bytes, number: Self.virtualHostsField) else {
            throw reader.error("malformed \(WireRoute.Configuration.protoMessageName)")
        }
        let wire = try read(WireRoute.Configuration.self, parts.rest, reader)
        reader.resource = wire.name
        try reader.check(wire)
        var table = try RouteConfiguration(wire, reader)
        let known = state.withLock { $0.tables[wire.name] } ?? [:]
        var decoded: [Digest: DecodedHost] = [:]
        var routes: [Digest: Route] = [:]
        decoded.reserveCapacity(parts.elements.count)
        table.virtualHosts.reserveCapacity(parts.elements.count)
        for (index, element) in parts.elements.enumerated() {
            let digest = Digest(element)
            let host =
                try known[digest]
                ?? (parts.elements.count >= Self.manyHosts && Self.shape.isObeyed(element)
                    ? host(element, index, of: wire.name, sharing: &routes, reader)
                    : host(element, index, of: wire.name, reader))
            reader.add(warnings: host.warnings, ignoredFields: host.ignoredFields)
            table.virtualHosts.append(host.host)
            decoded[digest] = host
        }
        try table.checkDomains(reader)
        keep(decoded, wire.name)
        return table
    }

    private func host(_ bytes: Data, _ index: Int, of table: String, _ reader: WireReader) throws -> DecodedHost {
        // A reader of its own: what it finds is told again whenever the host is used again.
        let inner = WireReader(runtime: reader.runtime)
        inner.resource = table
        let wire = try read(WireRoute.VirtualHost.self, bytes, reader)
        try inner.check(wire, at: "virtual_hosts[\(index)]")
        let host = try inner.at("virtual_hosts", index: index) { try VirtualHost(wire, inner) }
        return DecodedHost(host: host, warnings: inner.warnings, ignoredFields: inner.ignoredFields)
    }

    /// The same for a host without a field that has no effect, whose routes are looked up by their bytes first.
    /// - Parameter routes: Of the table so far.
    private func host(
        _ bytes: Data, _ index: Int, of table: String, sharing routes: inout [Digest: Route], _ reader: WireReader
    ) throws -> DecodedHost {
        let inner = WireReader()
        inner.resource = table
        guard let parts = RepeatedField.split(bytes, number: Self.routesField) else {
            throw reader.error("malformed \(WireRoute.VirtualHost.protoMessageName)")
        }
        let wire = try read(WireRoute.VirtualHost.self, parts.rest, reader)
        let host = try inner.at("virtual_hosts", index: index) {
            var host = try VirtualHost(wire, inner)
            host.routes.reserveCapacity(parts.elements.count)
            for (position, element) in parts.elements.enumerated() {
                host.routes.append(
                    try inner.at("routes", index: position) { try route(element, sharing: &routes, inner, reader) })
            }
            return host
        }
        return DecodedHost(host: host, warnings: inner.warnings, ignoredFields: inner.ignoredFields)
    }

    private func route(
        _ bytes: Data, sharing routes: inout [Digest: Route], _ inner: WireReader, _ reader: WireReader
    ) throws -> Route {
        let digest = Digest(bytes)
        if let known = routes[digest] { return known }
        let warnings = inner.warnings.count
        let route = try Route(try read(WireRoute.Route.self, bytes, reader), inner)
        // A warning names the place of the route, so each such route gives its own.
        if inner.warnings.count == warnings { routes[digest] = route }
        return route
    }

    private func read<M: Message>(_ type: M.Type, _ bytes: Data, _ reader: WireReader) throws -> M {
        do { return try M(serializedBytes: bytes) } catch {
            throw reader.error("malformed \(M.protoMessageName)")
        }
    }

    private func keep(_ hosts: [Digest: DecodedHost], _ name: String) {
        // What is forgotten may be large: it goes when the lock is free.
        var old: [Digest: DecodedHost]?
        state.withLock { state in
            old = state.tables.updateValue(hosts, forKey: name)
            if old != nil { state.order.removeAll { $0 == name } }
            state.order.append(name)
            if state.order.count > Self.tableLimit { state.tables[state.order.removeFirst()] = nil }
        }
        old = nil
    }
}

/// The elements of one repeated message field, and everything else, as the bytes of a message have them.
enum RepeatedField {
    /// - Returns: `nil` if the bytes are no message.
    static func split(_ bytes: Data, number: Int) -> (elements: [Data], rest: Data)? {
        var elements: [Data] = []
        var rest = Data()
        var position = bytes.startIndex
        while position < bytes.endIndex {
            let start = position
            guard let tag = varint(bytes, &position) else { return nil }
            let isElement = tag == UInt64(number) << 3 | 2
            let length: UInt64
            switch tag & 7 {
            case 0:
                guard varint(bytes, &position) != nil else { return nil }
                length = 0
            case 1: length = 8
            case 2:
                guard let stated = varint(bytes, &position) else { return nil }
                length = stated
            case 5: length = 4
            // Groups are not used by any of these messages.
            default: return nil
            }
            guard length <= UInt64(bytes.endIndex - position) else { return nil }
            let end = position + Int(length)
            if isElement { elements.append(bytes[position..<end]) } else { rest.append(bytes[start..<end]) }
            position = end
        }
        return (elements, rest)
    }

    private static func varint(_ bytes: Data, _ position: inout Data.Index) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            guard position < bytes.endIndex else { return nil }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 { return value }
        }
        return nil
    }
}
