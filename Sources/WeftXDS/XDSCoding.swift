import Foundation
package import SwiftProtobuf
package import WeftIR
import WeftProto

/// Turns the runtime configuration into xDS resources. Equal values give equal bytes.
package struct XDSEncoder: Sendable {
    package let target: Target

    package init(target: Target) { self.target = target }

    package func encode(_ listener: Listener) throws -> Google_Protobuf_Any {
        try pack(listener.without(exchange: target).wire(target))
    }
    package func encode(_ routes: RouteConfiguration) throws -> Google_Protobuf_Any { try pack(routes.wire(target)) }
    package func encode(_ scope: RouteScope) throws -> Google_Protobuf_Any { try pack(scope.wire(target)) }
    package func encode(_ cluster: Cluster) throws -> Google_Protobuf_Any {
        try pack(cluster.without(exchange: target).wire(target))
    }
    package func encode(_ endpoints: ClusterLoadAssignment) throws -> Google_Protobuf_Any {
        try pack(endpoints.wire(target))
    }
    package func encode(_ secret: Secret) throws -> Google_Protobuf_Any { try pack(secret.wire()) }
    package func encode(_ names: NameTable) throws -> Google_Protobuf_Any { try pack(names.wire()) }

    package func encode(_ resource: DecodedResource) throws -> Google_Protobuf_Any {
        switch resource {
        case .listener(let value): try encode(value)
        case .scope(let value): try encode(value)
        case .route(let value): try encode(value)
        case .cluster(let value): try encode(value)
        case .endpoints(let value): try encode(value)
        case .secret(let value): try encode(value)
        case .names(let value): try encode(value)
        }
    }
}

/// Why a resource cannot be used: which one, which field, and the reason.
package struct XDSDecodingError: Error, Hashable, Sendable, CustomStringConvertible {
    package var resource: String
    package var field: String
    package var reason: String
    package var description: String {
        [resource, field, reason].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}

/// Turns xDS resources into the runtime configuration.
///
/// What cannot be honoured and matters (an unknown filter, an unknown match) refuses the resource; other settings that
/// have no effect are named in the warnings. ``FieldSupport`` says which is which.
///
/// A decoder that is kept decodes a route table that it has seen before in a fraction of the time.
package struct XDSDecoder: Sendable {
    package struct Result: Sendable, Hashable {
        package var value: DecodedResource
        package var warnings: [String]
        /// Full names of the fields that have no effect (``FieldSupport``).
        package var ignoredFields: [String] = []
    }

    private let tables = RouteTableDecoder()
    private let runtime: RuntimeValues

    /// - Parameter runtime: Values of the proxy that what is decoded is for.
    package init(runtime: RuntimeValues = RuntimeValues()) { self.runtime = runtime }

    package func decode(_ any: Google_Protobuf_Any) throws -> Result {
        guard let type = ResourceType(typeURL: any.typeURL) else {
            throw XDSDecodingError(resource: any.typeURL, field: "", reason: "unknown resource type")
        }
        let reader = WireReader(runtime: runtime)
        do {
            let value: DecodedResource =
                switch type {
                case .cluster:
                    .cluster(try named(reader.unpack(any, as: WireCluster.self), \.name, reader, Cluster.init))
                case .endpoint:
                    .endpoints(
                        try named(
                            reader.unpack(any, as: WireAssignment.self), \.clusterName, reader,
                            ClusterLoadAssignment.init))
                case .listener:
                    .listener(try named(reader.unpack(any, as: WireListener.self), \.name, reader, Listener.init))
                case .scope: .scope(try named(reader.unpack(any, as: WireScope.self), \.name, reader, RouteScope.init))
                case .route: .route(try tables.decode(any.value, reader))
                case .secret: .secret(try named(reader.unpack(any, as: WireSecret.self), \.name, reader, Secret.init))
                case .names: .names(NameTable(try reader.unpack(any, as: WireNames.self)))
                }
            return Result(value: value, warnings: reader.warnings, ignoredFields: reader.ignoredFields)
        } catch let error as XDSDecodingError {
            throw error
        } catch {
            throw XDSDecodingError(resource: type.shortName, field: "", reason: "malformed protobuf: \(error)")
        }
    }

    private func named<Wire, Value>(
        _ wire: Wire, _ name: KeyPath<Wire, String>, _ reader: WireReader, _ make: (Wire, WireReader) throws -> Value
    ) throws -> Value {
        reader.resource = wire[keyPath: name]
        return try make(wire, reader)
    }
}
