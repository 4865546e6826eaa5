import SwiftProtobuf
import WeftCore
package import WeftIR
package import WeftProto

extension ExternalProcessing {
    typealias Wire = Envoy_Extensions_Filters_Http_ExtProc_V3_ExternalProcessor

    func wire() -> Wire {
        var wire = Wire()
        wire.grpcService = service.wire()
        wire.failureModeAllow = failureModeAllows
        wire.processingMode = mode.wire()
        wire.messageTimeout = .init(milliseconds: messageTimeoutMilliseconds)
        if maxMessageTimeoutMilliseconds > 0 {
            wire.maxMessageTimeout = .init(milliseconds: maxMessageTimeoutMilliseconds)
        }
        wire.allowModeOverride = allowsModeOverride
        wire.allowedOverrideModes = allowedOverrides.map { $0.wire() }
        wire.disableImmediateResponse = ignoresImmediateResponse
        switch routeCache {
        case .default: wire.routeCacheAction = .default
        case .clear: wire.routeCacheAction = .clear
        case .retain: wire.routeCacheAction = .retain
        }
        if !headers.allowed.isEmpty { wire.forwardRules.allowedHeaders = .init(headers.allowed) }
        if !headers.disallowed.isEmpty { wire.forwardRules.disallowedHeaders = .init(headers.disallowed) }
        if mutationRules != HeaderMutationRules() { wire.mutationRules = mutationRules.wire() }
        wire.statusOnError = .init(statusOnError)
        wire.requestAttributes = requestAttributes
        wire.responseAttributes = responseAttributes
        if metadata != MetadataNamespaces() { wire.metadataOptions = metadata.wire() }
        wire.observabilityMode = observes
        wire.deferredCloseTimeout = .init(milliseconds: deferredCloseMilliseconds)
        wire.statPrefix = statPrefix
        if let provenance { wire.filterMetadata = provenance.fields() }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        self.init(service: try reader.at("grpc_service") { try GRPCServiceTarget(wire.grpcService, reader) })
        failureModeAllows = wire.failureModeAllow
        mode = try reader.at("processing_mode") { try Mode(wire.processingMode, reader) }
        if wire.hasMessageTimeout { messageTimeoutMilliseconds = wire.messageTimeout.milliseconds }
        if wire.hasMaxMessageTimeout { maxMessageTimeoutMilliseconds = wire.maxMessageTimeout.milliseconds }
        allowsModeOverride = wire.allowModeOverride
        allowedOverrides = try reader.map("allowed_override_modes", wire.allowedOverrideModes) { try Mode($0, reader) }
        ignoresImmediateResponse = wire.disableImmediateResponse
        switch wire.routeCacheAction {
        case .clear: routeCache = .clear
        case .retain: routeCache = .retain
        case .default, .UNRECOGNIZED: routeCache = wire.disableClearRouteCache ? .retain : .default
        }
        headers.allowed = try reader.at("forward_rules") { try wire.forwardRules.allowedHeaders.matchers(reader) }
        headers.disallowed = try reader.at("forward_rules") { try wire.forwardRules.disallowedHeaders.matchers(reader) }
        mutationRules = HeaderMutationRules(wire.mutationRules)
        statusOnError = try wire.statusOnError.status(reader) ?? 500
        requestAttributes = try reader.attributes("request_attributes", wire.requestAttributes)
        responseAttributes = try reader.attributes("response_attributes", wire.responseAttributes)
        metadata = MetadataNamespaces(wire.metadataOptions)
        observes = wire.observabilityMode
        if wire.hasDeferredCloseTimeout { deferredCloseMilliseconds = wire.deferredCloseTimeout.milliseconds }
        let bodies = [mode.requestBody, mode.responseBody]
        if observes, bodies.contains(.buffered) || bodies.contains(.bufferedPartial) {
            throw reader.error("observability_mode takes bodies NONE or STREAMED")
        }
        statPrefix = wire.statPrefix
        provenance = wire.hasFilterMetadata ? Provenance(wire.filterMetadata) : nil
    }
}

extension ExternalProcessing.MetadataNamespaces {
    typealias Wire = Envoy_Extensions_Filters_Http_ExtProc_V3_MetadataOptions

    func wire() -> Wire {
        var wire = Wire()
        wire.forwardingNamespaces.untyped = forwarded
        wire.receivingNamespaces.untyped = received
        return wire
    }

    init(_ wire: Wire) {
        self.init()
        forwarded = wire.forwardingNamespaces.untyped
        received = wire.receivingNamespaces.untyped
    }
}

extension WireReader {
    /// Names of attributes, each an expression that can be read.
    fileprivate func attributes(_ field: String, _ names: [String]) throws -> [String] {
        try map(field, names) { name in
            do {
                _ = try AttributeExpression(parsing: name)
            } catch {
                throw self.error("the attribute \(name) is not supported: \(error)")
            }
            return name
        }
    }
}

extension ExternalProcessing.Mode {
    package typealias Wire = Envoy_Extensions_Filters_Http_ExtProc_V3_ProcessingMode

    func wire() -> Wire {
        var wire = Wire()
        wire.requestHeaderMode = requestHeaders ? .send : .skip
        wire.responseHeaderMode = responseHeaders ? .send : .skip
        wire.requestBodyMode = Self.wire(requestBody)
        wire.responseBodyMode = Self.wire(responseBody)
        wire.requestTrailerMode = requestTrailers ? .send : .default
        wire.responseTrailerMode = responseTrailers ? .send : .default
        return wire
    }

    private static func wire(_ body: Body) -> Wire.BodySendMode {
        switch body {
        case .none: .none
        case .buffered: .buffered
        case .bufferedPartial: .bufferedPartial
        case .streamed: .streamed
        }
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        guard let mode = Self(wire) else {
            throw reader.error(
                "bodies are sent NONE, BUFFERED, BUFFERED_PARTIAL or STREAMED; other modes are not supported")
        }
        self = mode
    }

    /// Absent fields are the API's defaults: headers are sent, bodies and trailers are not.
    /// - Returns: `nil` for a mode of bodies that the proxy does not have.
    package init?(_ wire: Wire) {
        self.init()
        requestHeaders = wire.requestHeaderMode != .skip
        responseHeaders = wire.responseHeaderMode != .skip
        guard let request = Self.body(wire.requestBodyMode), let response = Self.body(wire.responseBodyMode) else {
            return nil
        }
        requestBody = request
        responseBody = response
        requestTrailers = wire.requestTrailerMode == .send
        responseTrailers = wire.responseTrailerMode == .send
    }

    private static func body(_ wire: Wire.BodySendMode) -> Body? {
        switch wire {
        case .none: Body.none
        case .buffered: .buffered
        case .bufferedPartial: .bufferedPartial
        case .streamed: .streamed
        default: nil
        }
    }
}

extension ExternalProcessing.Overrides {
    typealias Wire = Envoy_Extensions_Filters_Http_ExtProc_V3_ExtProcOverrides

    func wire() -> Wire {
        var wire = Wire()
        if let mode { wire.processingMode = mode.wire() }
        if let service { wire.grpcService = service.wire() }
        wire.grpcInitialMetadata = initialMetadata.map { $0.wire() }
        if let failureModeAllows { wire.failureModeAllow = .init(failureModeAllows) }
        wire.requestAttributes = requestAttributes ?? []
        wire.responseAttributes = responseAttributes ?? []
        if let metadata { wire.metadataOptions = metadata.wire() }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        self.init()
        if wire.hasProcessingMode {
            mode = try reader.at("processing_mode") { try ExternalProcessing.Mode(wire.processingMode, reader) }
        }
        if wire.hasGrpcService {
            service = try reader.at("grpc_service") { try GRPCServiceTarget(wire.grpcService, reader) }
        }
        initialMetadata = wire.grpcInitialMetadata.map { HeaderField($0) }
        if wire.hasFailureModeAllow { failureModeAllows = wire.failureModeAllow.value }
        let request = try reader.attributes("request_attributes", wire.requestAttributes)
        let response = try reader.attributes("response_attributes", wire.responseAttributes)
        requestAttributes = request.isEmpty ? nil : request
        responseAttributes = response.isEmpty ? nil : response
        if wire.hasMetadataOptions { metadata = ExternalProcessing.MetadataNamespaces(wire.metadataOptions) }
    }
}
