import SwiftProtobuf
package import WeftCore
package import WeftIR
import WeftProto

/// Reads a bootstrap in protobuf's JSON form. Pure: reads no file and no clock.
package final class BootstrapDecoder {
    package struct Result: Sendable {
        package var bootstrap: Bootstrap
        package var warnings: [String]
        /// Full names of the fields that have no effect (``FieldSupport``).
        package var ignoredFields: [String]
    }
    /// All that is wrong with a bootstrap.
    package struct Failure: Error, Sendable {
        package var problems: [FieldProblem]
    }

    private static let message = "envoy.config.bootstrap.v3.Bootstrap"
    private let reader: WireReader
    private var problems: [FieldProblem] = []

    private init(_ runtime: [String: JSONValue]) { reader = WireReader(runtime: RuntimeValues(runtime)) }

    /// - Throws: ``Failure`` with every problem that was found.
    package static func decode(_ value: JSONValue) throws(Failure) -> Result {
        var encoder = JSONMessageEncoder()
        let bytes = encoder.encode(value, as: message, path: "")
        guard encoder.problems.isEmpty else { throw Failure(problems: encoder.problems) }
        guard let wire = try? Envoy_Config_Bootstrap_V3_Bootstrap(serializedBytes: bytes) else {
            throw Failure(problems: [FieldProblem(path: "", reason: "is no bootstrap")])
        }
        let runtime = runtime(wire.layeredRuntime)
        let decoder = BootstrapDecoder(runtime)
        var bootstrap = decoder.read(wire)
        bootstrap.runtime = runtime
        guard decoder.problems.isEmpty else { throw Failure(problems: decoder.problems) }
        return Result(
            bootstrap: bootstrap, warnings: decoder.reader.warnings, ignoredFields: decoder.reader.ignoredFields)
    }

    private func read(_ wire: Envoy_Config_Bootstrap_V3_Bootstrap) -> Bootstrap {
        var bootstrap = Bootstrap()
        attempt("") { try reader.check(wire) }
        bootstrap.node.id = wire.node.id
        bootstrap.node.cluster = wire.node.cluster
        bootstrap.node.metadata = .object(wire.node.metadata.fields.mapValues(\.json))
        bootstrap.node.locality = Locality(
            region: wire.node.locality.region, zone: wire.node.locality.zone, subZone: wire.node.locality.subZone)
        if wire.admin.hasAddress {
            attempt("admin.address") { bootstrap.admin = try Address(wire.admin.address, reader) }
        }
        bootstrap.localCluster = wire.clusterManager.localClusterName
        readStatic(wire.staticResources, &bootstrap.configuration)
        readDynamic(wire.dynamicResources, &bootstrap)
        if wire.hasOverloadManager {
            attempt("overload_manager") { bootstrap.overload = try Overload(wire.overloadManager, reader) }
        }
        return bootstrap
    }

    /// Runs `body` inside a field; what it throws becomes a problem, and reading goes on.
    private func attempt(_ field: String, _ body: () throws -> Void) {
        do {
            if field.isEmpty { try body() } else { try reader.at(field, body) }
        } catch let error as XDSDecodingError {
            problems.append(FieldProblem(path: error.field, reason: error.reason))
        } catch {
            problems.append(FieldProblem(path: field, reason: "\(error)"))
        }
    }

    private func readStatic(
        _ wire: Envoy_Config_Bootstrap_V3_Bootstrap.StaticResources, _ configuration: inout ProxyConfiguration
    ) {
        for (index, var listener) in wire.listeners.enumerated() {
            if listener.name.isEmpty { listener.name = "listener_\(index)" }
            attempt("static_resources.listeners[\(index)]") {
                try configuration.addUnique(.listener(try Listener(listener, reader)), reader)
            }
        }
        for (index, cluster) in wire.clusters.enumerated() {
            attempt("static_resources.clusters[\(index)]") {
                try configuration.addUnique(.cluster(try Cluster(cluster, reader)), reader)
            }
        }
        for (index, secret) in wire.secrets.enumerated() {
            attempt("static_resources.secrets[\(index)]") {
                try configuration.addUnique(.secret(try Secret(secret, reader)), reader)
            }
        }
    }

    private func readDynamic(
        _ wire: Envoy_Config_Bootstrap_V3_Bootstrap.DynamicResources, _ bootstrap: inout Bootstrap
    ) {
        if wire.hasAdsConfig {
            attempt("dynamic_resources.ads_config") { bootstrap.ads = try .init(wire.adsConfig, reader) }
        }
        if wire.hasLdsConfig {
            attempt("dynamic_resources.lds_config") { bootstrap.listeners = try .init(wire.ldsConfig, reader) }
        }
        if wire.hasCdsConfig {
            attempt("dynamic_resources.cds_config") { bootstrap.clusters = try .init(wire.cdsConfig, reader) }
        }
        let wantsADS = bootstrap.listeners == .ads || bootstrap.clusters == .ads
        if wantsADS, bootstrap.ads == nil {
            problems.append(FieldProblem(path: "dynamic_resources.ads_config", reason: "is missing, and ads is used"))
        }
        let servers = [bootstrap.ads, bootstrap.listeners?.server, bootstrap.clusters?.server].compactMap { $0 }
        for server in servers where bootstrap.configuration.clusters[server.cluster] == nil {
            problems.append(
                FieldProblem(
                    path: "dynamic_resources",
                    reason: "cluster \"\(server.cluster)\" of a gRPC service is not among static_resources.clusters"))
        }
    }

    private static func runtime(_ wire: Envoy_Config_Bootstrap_V3_LayeredRuntime) -> [String: JSONValue] {
        var runtime: [String: JSONValue] = [:]
        for layer in wire.layers {
            guard case .staticLayer(let fields) = layer.layerSpecifier else { continue }
            for (key, value) in fields.fields { flatten(key, value.json, into: &runtime) }
        }
        return runtime
    }

    /// `{"a": {"b": 1}}` and `{"a.b": 1}` are the same setting.
    private static func flatten(_ key: String, _ value: JSONValue, into runtime: inout [String: JSONValue]) {
        // A fraction is a value, not a level.
        guard case .object(let members) = value, members["numerator"] == nil else {
            runtime[key] = value
            return
        }
        for (name, inner) in members { flatten("\(key).\(name)", inner, into: &runtime) }
    }
}

extension ProxyConfiguration {
    /// - Throws: If a resource of the same type has the name already, or it has none.
    fileprivate mutating func addUnique(_ resource: DecodedResource, _ reader: WireReader) throws {
        if resource.name.isEmpty { throw reader.error("name is missing") }
        let isTaken =
            switch resource {
            case .listener(let value): listeners[value.name] != nil
            case .cluster(let value): clusters[value.name] != nil
            case .secret(let value): secrets[value.name] != nil
            case .route(let value): routes[value.name] != nil
            case .scope(let value): scopes[value.name] != nil
            case .endpoints(let value): endpoints[value.clusterName] != nil
            case .names: names != nil
            }
        if isTaken { throw reader.error("the name \"\(resource.name)\" is used twice") }
        set(resource)
    }
}

extension Bootstrap.Source {
    init(_ wire: Core.ConfigSource, _ reader: WireReader) throws {
        switch wire.configSourceSpecifier {
        case .ads: self = .ads
        case .path(let path): self = .path(path)
        case .pathConfigSource(let source): self = .path(source.path)
        case .apiConfigSource(let api):
            self = .server(try reader.at("api_config_source") { try .init(api, reader) })
        case .self_p, nil: throw reader.error("one of ads, path_config_source and api_config_source is needed")
        }
    }

    var server: Bootstrap.DiscoveryServer? { if case .server(let server) = self { server } else { nil } }
}

extension Bootstrap.DiscoveryServer {
    init(_ wire: Envoy_Config_Core_V3_ApiConfigSource, _ reader: WireReader) throws {
        let isDelta: Bool
        switch wire.apiType {
        case .grpc, .aggregatedGrpc: isDelta = false
        case .deltaGrpc, .aggregatedDeltaGrpc: isDelta = true
        default: throw reader.error("api_type must be GRPC or DELTA_GRPC")
        }
        guard let service = wire.grpcServices.first, case .envoyGrpc(let grpc) = service.targetSpecifier else {
            throw reader.error("grpc_services must name an envoy_grpc cluster")
        }
        self.init(cluster: grpc.clusterName, isDelta: isDelta)
        for header in service.initialMetadata { metadata[header.key.lowercased()] = header.value }
    }
}

extension Google_Protobuf_Value {
    /// The value as JSON; whole numbers become integers.
    var json: JSONValue {
        switch kind {
        case .nullValue, nil: .null
        case .boolValue(let flag): .bool(flag)
        case .stringValue(let text): .string(text)
        case .numberValue(let number): Int64(exactly: number).map { .int($0) } ?? .double(number)
        case .structValue(let inner): .object(inner.fields.mapValues(\.json))
        case .listValue(let inner): .array(inner.values.map(\.json))
        }
    }
}
