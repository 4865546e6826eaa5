import SwiftProtobuf
import WeftIR
import WeftProto

typealias WireConnectionAuthorization = Envoy_Extensions_Filters_Network_ExtAuthz_V3_ExtAuthz

extension ConnectionAuthorization {
    func wire() -> WireConnectionAuthorization {
        var wire = WireConnectionAuthorization()
        wire.statPrefix = statPrefix
        wire.grpcService = service.wire()
        wire.failureModeAllow = failureModeAllows
        wire.includePeerCertificate = includesPeerCertificate
        wire.includeTlsSession = includesTLSSession
        wire.transportApiVersion = .v3
        if let enabledMetadata { wire.filterEnabledMetadata = enabledMetadata.wire() }
        return wire
    }

    init(_ wire: WireConnectionAuthorization, _ reader: WireReader) throws {
        guard !wire.statPrefix.isEmpty else { throw reader.error("stat_prefix is missing") }
        self.init(
            statPrefix: wire.statPrefix,
            service: try reader.at("grpc_service") { try GRPCServiceTarget(wire.grpcService, reader) })
        failureModeAllows = wire.failureModeAllow
        includesPeerCertificate = wire.includePeerCertificate
        includesTLSSession = wire.includeTlsSession
        if wire.hasFilterEnabledMetadata {
            enabledMetadata = try reader.at("filter_enabled_metadata") {
                try DynamicMetadataMatcher(wire.filterEnabledMetadata, reader)
            }
        }
    }
}
