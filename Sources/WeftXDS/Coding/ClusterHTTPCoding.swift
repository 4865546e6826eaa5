import SwiftProtobuf
import WeftIR
import WeftProto

private typealias PreserveCase = Envoy_Extensions_Http_HeaderFormatters_PreserveCase_V3_PreserveCaseFormatterConfig

/// How a cluster's connections speak HTTP/1, and the limits of what comes back.
extension Cluster {
    func http1Options() throws -> Envoy_Config_Core_V3_Http1ProtocolOptions {
        var wire = Envoy_Config_Core_V3_Http1ProtocolOptions()
        wire.enableTrailers = !dropsTrailers
        if properCaseHeaders { wire.headerKeyFormat.properCaseWords = .init() }
        if preserveHeaderCase {
            wire.headerKeyFormat.statefulFormatter.name = "preserve_case"
            wire.headerKeyFormat.statefulFormatter.typedConfig = try pack(PreserveCase())
        }
        return wire
    }

    mutating func readHTTP1(_ wire: Envoy_Config_Core_V3_Http1ProtocolOptions, _ reader: WireReader) throws {
        dropsTrailers = !wire.enableTrailers
        switch wire.headerKeyFormat.headerFormat {
        case .statefulFormatter(let formatter):
            guard formatter.typedConfig.holds(PreserveCase.self) else {
                throw reader.error("header formatter \(formatter.name) is not supported")
            }
            preserveHeaderCase = true
        case .properCaseWords: properCaseHeaders = true
        case nil: break
        }
    }

    func writeLimits(to wire: inout Envoy_Config_Core_V3_HttpProtocolOptions) {
        if let limit = maxStreamDurationMilliseconds { wire.maxStreamDuration = .init(milliseconds: limit) }
        if let maxResponseHeadersKilobytes { wire.maxResponseHeadersKb = .init(maxResponseHeadersKilobytes) }
        if let maxResponseHeadersCount { wire.maxHeadersCount = .init(maxResponseHeadersCount) }
    }

    mutating func readLimits(_ wire: Envoy_Config_Core_V3_HttpProtocolOptions) {
        if wire.hasMaxStreamDuration { maxStreamDurationMilliseconds = wire.maxStreamDuration.milliseconds }
        if wire.hasMaxResponseHeadersKb { maxResponseHeadersKilobytes = wire.maxResponseHeadersKb.value }
        if wire.hasMaxHeadersCount { maxResponseHeadersCount = wire.maxHeadersCount.value }
    }
}

extension Cluster.AutomaticServerName {
    /// - Returns: `nil` when it asks for nothing.
    init?(_ wire: Envoy_Config_Core_V3_UpstreamHttpProtocolOptions) {
        guard wire.autoSni || wire.autoSanValidation else { return nil }
        self.init()
        setsServerName = wire.autoSni
        validatesName = wire.autoSanValidation
        header = wire.overrideAutoSniHeader
    }

    var wire: Envoy_Config_Core_V3_UpstreamHttpProtocolOptions {
        var wire = Envoy_Config_Core_V3_UpstreamHttpProtocolOptions()
        wire.autoSni = setsServerName
        wire.autoSanValidation = validatesName
        wire.overrideAutoSniHeader = header
        return wire
    }
}
