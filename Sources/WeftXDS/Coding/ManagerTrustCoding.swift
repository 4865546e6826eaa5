import SwiftProtobuf
import WeftIR
import WeftProto

/// Who may say what, and the forms of HTTP/1: the parts of a connection manager beside routes, paths and times.
extension HTTPConnectionManager {
    func setTrust(_ wire: inout WireManager) {
        switch underscores {
        case .allow: break
        case .rejectRequest: wire.commonHTTPProtocolOptions.headersWithUnderscoresAction = .rejectRequest
        case .dropHeader: wire.commonHTTPProtocolOptions.headersWithUnderscoresAction = .dropHeader
        }
        if !internalAddresses.isEmpty { wire.internalAddressConfig.cidrRanges = internalAddresses.map { $0.wire() } }
        wire.appendXForwardedPort = appendXForwardedPort
        if let schemeOverwrite { wire.schemeHeaderTransformation.schemeToOverwrite = schemeOverwrite }
    }

    mutating func readTrust(_ wire: WireManager, _ reader: WireReader) throws {
        underscores =
            switch wire.commonHTTPProtocolOptions.headersWithUnderscoresAction {
            case .rejectRequest: .rejectRequest
            case .dropHeader: .dropHeader
            default: .allow
            }
        internalAddresses = try reader.map(
            "internal_address_config.cidr_ranges", wire.internalAddressConfig.cidrRanges
        ) { try CIDR($0, reader) }
        appendXForwardedPort = wire.appendXForwardedPort
        if case .schemeToOverwrite(let scheme) = wire.schemeHeaderTransformation.transformation {
            guard ["http", "https"].contains(scheme.lowercased()) else {
                throw reader.error("scheme_to_overwrite must be http or https")
            }
            schemeOverwrite = scheme.lowercased()
        }
    }

    func setHTTP1(_ wire: inout WireManager) {
        wire.httpProtocolOptions.defaultHostForHTTP10 = defaultHostForHTTP10 ?? ""
        wire.httpProtocolOptions.enableTrailers = passesTrailers
        wire.httpProtocolOptions.allowCustomMethods = allowsCustomMethods
        if properCaseHeaders { wire.httpProtocolOptions.headerKeyFormat.properCaseWords = .init() }
    }

    mutating func readHTTP1(_ wire: Envoy_Config_Core_V3_Http1ProtocolOptions) {
        defaultHostForHTTP10 = wire.defaultHostForHTTP10.isEmpty ? nil : wire.defaultHostForHTTP10
        passesTrailers = wire.enableTrailers
        allowsCustomMethods = wire.allowCustomMethods
    }
}

extension HTTPConnectionManager.RouterOptions {
    func wire() -> Envoy_Extensions_Filters_Http_Router_V3_Router {
        var wire = Envoy_Extensions_Filters_Http_Router_V3_Router()
        wire.suppressEnvoyHeaders = suppressesEnvoyHeaders
        wire.respectExpectedRqTimeout = respectsExpectedTimeout
        return wire
    }

    init(_ wire: Envoy_Extensions_Filters_Http_Router_V3_Router) {
        self.init()
        suppressesEnvoyHeaders = wire.suppressEnvoyHeaders
        respectsExpectedTimeout = wire.respectExpectedRqTimeout
    }
}
