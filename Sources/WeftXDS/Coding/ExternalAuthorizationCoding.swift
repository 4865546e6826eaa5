import SwiftProtobuf
import WeftIR
import WeftProto

extension ExternalAuthorization {
    typealias Wire = Envoy_Extensions_Filters_Http_ExtAuthz_V3_ExtAuthz
    typealias WireMatchers = Envoy_Type_Matcher_V3_ListStringMatcher

    func wire() -> Wire {
        var wire = Wire()
        switch service {
        case .http(let http): wire.httpService = http.wire()
        case .grpc(let grpc): wire.grpcService = grpc.wire()
        }
        wire.transportApiVersion = .v3
        wire.failureModeAllow = failureModeAllows
        wire.failureModeAllowHeaderAdd = failureModeAllowAddsHeader
        if let body { wire.withRequestBody = body.wire() }
        wire.clearRouteCache_p = clearsRouteCache
        wire.statusOnError = .init(statusOnError)
        wire.validateMutations = validatesMutations
        wire.metadataContextNamespaces = metadataNamespaces
        if enabled != .all { wire.filterEnabled = enabled.runtimeWire() }
        if let enabledMetadata { wire.filterEnabledMetadata = enabledMetadata.wire() }
        if deniesWhenDisabled { wire.denyAtDisable.defaultValue = .init(true) }
        wire.includePeerCertificate = includesPeerCertificate
        wire.includeTlsSession = includesTLSSession
        wire.statPrefix = statPrefix
        if !headers.allowed.isEmpty { wire.allowedHeaders = WireMatchers(headers.allowed) }
        if !headers.disallowed.isEmpty { wire.disallowedHeaders = WireMatchers(headers.disallowed) }
        wire.encodeRawHeaders = encodesRawHeaders
        if let mutationRules { wire.decoderHeaderMutationRules = mutationRules.wire() }
        if !takesDynamicMetadata { wire.enableDynamicMetadataIngestion = .init(false) }
        wire.maxDeniedResponseBodyBytes = maxDeniedBodyBytes
        if let provenance { wire.filterMetadata = provenance.fields() }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        switch wire.services {
        case .grpcService(let grpc):
            self.init(service: .grpc(try reader.at("grpc_service") { try GRPCServiceTarget(grpc, reader) }))
        case .httpService(let http):
            self.init(service: .http(try reader.at("http_service") { try HTTPService(http, reader) }))
        case nil: throw reader.error("one of grpc_service and http_service is needed")
        }
        failureModeAllows = wire.failureModeAllow
        failureModeAllowAddsHeader = wire.failureModeAllowHeaderAdd
        if wire.hasWithRequestBody {
            body = try reader.at("with_request_body") { try Body(wire.withRequestBody, reader) }
        }
        clearsRouteCache = wire.clearRouteCache_p
        statusOnError = try wire.statusOnError.status(reader) ?? 403
        validatesMutations = wire.validateMutations
        metadataNamespaces = wire.metadataContextNamespaces
        if wire.hasFilterEnabled { enabled = reader.runtime.fraction(wire.filterEnabled) }
        if wire.hasFilterEnabledMetadata {
            enabledMetadata = try reader.at("filter_enabled_metadata") {
                try DynamicMetadataMatcher(wire.filterEnabledMetadata, reader)
            }
        }
        deniesWhenDisabled = reader.runtime.flag(wire.denyAtDisable)
        includesPeerCertificate = wire.includePeerCertificate
        includesTLSSession = wire.includeTlsSession
        statPrefix = wire.statPrefix
        headers.allowed = try reader.at("allowed_headers") { try wire.allowedHeaders.matchers(reader) }
        headers.disallowed = try reader.at("disallowed_headers") { try wire.disallowedHeaders.matchers(reader) }
        encodesRawHeaders = wire.encodeRawHeaders
        if wire.hasDecoderHeaderMutationRules { mutationRules = HeaderMutationRules(wire.decoderHeaderMutationRules) }
        if wire.hasEnableDynamicMetadataIngestion { takesDynamicMetadata = wire.enableDynamicMetadataIngestion.value }
        maxDeniedBodyBytes = wire.maxDeniedResponseBodyBytes
        provenance = wire.hasFilterMetadata ? Provenance(wire.filterMetadata) : nil
    }
}

extension ExternalAuthorization.HTTPService {
    typealias Wire = Envoy_Extensions_Filters_Http_ExtAuthz_V3_HttpService

    func wire() -> Wire {
        var wire = Wire()
        wire.serverUri.uri = uri
        wire.serverUri.cluster = cluster
        wire.serverUri.timeout = .init(milliseconds: timeoutMilliseconds)
        wire.pathPrefix = pathPrefix
        if !allowedHeaders.isEmpty { wire.authorizationRequest.allowedHeaders = .init(allowedHeaders) }
        if !headersToAdd.isEmpty { wire.authorizationRequest.headersToAdd = headersToAdd.map { $0.wire() } }
        func put(
            _ matchers: [StringMatcher],
            _ field: WritableKeyPath<
                Envoy_Extensions_Filters_Http_ExtAuthz_V3_AuthorizationResponse,
                Envoy_Type_Matcher_V3_ListStringMatcher
            >
        ) {
            if !matchers.isEmpty { wire.authorizationResponse[keyPath: field] = .init(matchers) }
        }
        put(upstreamHeaders, \.allowedUpstreamHeaders)
        put(appendedUpstreamHeaders, \.allowedUpstreamHeadersToAppend)
        put(clientHeaders, \.allowedClientHeaders)
        put(clientHeadersOnSuccess, \.allowedClientHeadersOnSuccess)
        put(metadataHeaders, \.dynamicMetadataFromHeaders)
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        guard !wire.serverUri.uri.isEmpty, !wire.serverUri.cluster.isEmpty else {
            throw reader.error("server_uri needs a uri and a cluster")
        }
        self.init(uri: wire.serverUri.uri, cluster: wire.serverUri.cluster)
        if wire.serverUri.hasTimeout { timeoutMilliseconds = wire.serverUri.timeout.milliseconds }
        pathPrefix = wire.pathPrefix
        guard pathPrefix.isEmpty || pathPrefix.hasPrefix("/") else {
            throw reader.error("path_prefix \"\(pathPrefix)\" must begin with a slash")
        }
        allowedHeaders = try wire.authorizationRequest.allowedHeaders.matchers(reader)
        headersToAdd = wire.authorizationRequest.headersToAdd.map { HeaderField($0) }
        let response = wire.authorizationResponse
        upstreamHeaders = try response.allowedUpstreamHeaders.matchers(reader)
        appendedUpstreamHeaders = try response.allowedUpstreamHeadersToAppend.matchers(reader)
        clientHeaders = try response.allowedClientHeaders.matchers(reader)
        clientHeadersOnSuccess = try response.allowedClientHeadersOnSuccess.matchers(reader)
        metadataHeaders = try response.dynamicMetadataFromHeaders.matchers(reader)
    }
}

extension ExternalAuthorization.Body {
    typealias Wire = Envoy_Extensions_Filters_Http_ExtAuthz_V3_BufferSettings

    func wire() -> Wire {
        var wire = Wire()
        wire.maxRequestBytes = maxRequestBytes
        wire.allowPartialMessage = allowsPartial
        wire.packAsBytes = packsAsBytes
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        guard wire.maxRequestBytes > 0 else { throw reader.error("max_request_bytes must be above 0") }
        self.init(maxRequestBytes: wire.maxRequestBytes)
        allowsPartial = wire.allowPartialMessage
        packsAsBytes = wire.packAsBytes
    }
}

extension ExternalAuthorization.CheckSettings {
    typealias Wire = Envoy_Extensions_Filters_Http_ExtAuthz_V3_CheckSettings

    func wire() -> Wire {
        var wire = Wire()
        wire.contextExtensions = contextExtensions
        wire.disableRequestBodyBuffering = disablesBody
        if let body { wire.withRequestBody = body.wire() }
        switch service {
        case .http(let http): wire.httpService = http.wire()
        case .grpc(let grpc): wire.grpcService = grpc.wire()
        case nil: break
        }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        self.init()
        contextExtensions = wire.contextExtensions
        disablesBody = wire.disableRequestBodyBuffering
        if wire.hasWithRequestBody {
            guard !disablesBody else {
                throw reader.error("with_request_body and disable_request_body_buffering exclude each other")
            }
            body = try reader.at("with_request_body") {
                try ExternalAuthorization.Body(wire.withRequestBody, reader)
            }
        }
        switch wire.serviceOverride {
        case .grpcService(let grpc):
            service = .grpc(try reader.at("grpc_service") { try GRPCServiceTarget(grpc, reader) })
        case .httpService(let http):
            service = .http(
                try reader.at("http_service") { try ExternalAuthorization.HTTPService(http, reader) })
        case nil: break
        }
    }
}
