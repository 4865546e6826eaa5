import SwiftProtobuf
import WeftIR
import WeftProto

extension GRPCServiceTarget {
    func wire() -> Envoy_Config_Core_V3_GrpcService {
        var wire = Envoy_Config_Core_V3_GrpcService()
        wire.envoyGrpc.clusterName = cluster
        wire.envoyGrpc.authority = authority
        if let timeoutMilliseconds { wire.timeout = .init(milliseconds: timeoutMilliseconds) }
        wire.initialMetadata = initialMetadata.map { $0.wire() }
        return wire
    }

    init(_ wire: Envoy_Config_Core_V3_GrpcService, _ reader: WireReader) throws {
        guard case .envoyGrpc(let grpc) = wire.targetSpecifier, !grpc.clusterName.isEmpty else {
            throw reader.error("grpc_service must name a cluster in envoy_grpc; google_grpc is not supported")
        }
        self.init(cluster: grpc.clusterName)
        authority = grpc.authority
        if wire.hasTimeout { timeoutMilliseconds = wire.timeout.milliseconds }
        initialMetadata = wire.initialMetadata.map { HeaderField($0) }
    }
}

extension HeaderField {
    func wire() -> Envoy_Config_Core_V3_HeaderValue {
        var wire = Envoy_Config_Core_V3_HeaderValue()
        wire.key = name
        wire.value = value
        return wire
    }

    init(_ wire: Envoy_Config_Core_V3_HeaderValue) {
        self.init(
            wire.key.lowercased(),
            wire.value.isEmpty ? String(decoding: wire.rawValue, as: UTF8.self) : wire.value)
    }
}

extension HeaderMutationRules {
    typealias Wire = Envoy_Config_Common_MutationRules_V3_HeaderMutationRules

    func wire() -> Wire {
        var wire = Wire()
        wire.allowAllRouting = .init(allowsAllRouting)
        wire.allowEnvoy = .init(allowsEnvoy)
        wire.disallowSystem = .init(disallowsSystem)
        wire.disallowAll = .init(disallowsAll)
        if let allowExpression { wire.allowExpression.regex = allowExpression }
        if let disallowExpression { wire.disallowExpression.regex = disallowExpression }
        wire.disallowIsError = .init(disallowIsError)
        return wire
    }

    init(_ wire: Wire) {
        self.init()
        allowsAllRouting = wire.allowAllRouting.value
        allowsEnvoy = wire.allowEnvoy.value
        disallowsSystem = wire.disallowSystem.value
        disallowsAll = wire.disallowAll.value
        allowExpression = wire.hasAllowExpression ? wire.allowExpression.regex : nil
        disallowExpression = wire.hasDisallowExpression ? wire.disallowExpression.regex : nil
        disallowIsError = wire.disallowIsError.value
    }
}

extension Envoy_Type_Matcher_V3_ListStringMatcher {
    init(_ matchers: [StringMatcher]) {
        self.init()
        patterns = matchers.map { $0.wire() }
    }

    func matchers(_ reader: WireReader) throws -> [StringMatcher] {
        try reader.map("patterns", patterns) { try StringMatcher($0, reader) }
    }
}

extension Envoy_Type_V3_HttpStatus {
    init(_ status: UInt16) {
        self.init()
        code = Envoy_Type_V3_StatusCode(rawValue: Int(status)) ?? .empty
    }

    /// - Returns: `nil` when none is set.
    func status(_ reader: WireReader) throws -> UInt16? {
        code == .empty ? nil : try reader.status(UInt32(clamping: code.rawValue))
    }
}
