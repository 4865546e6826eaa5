import SwiftProtobuf
import WeftCore
import WeftIR
import WeftProto

private typealias WireOpenTelemetry = Envoy_Config_Trace_V3_OpenTelemetryConfig
private typealias WireZipkin = Envoy_Config_Trace_V3_ZipkinConfig
private typealias WireTag = Envoy_Type_Tracing_V3_CustomTag

extension HTTPConnectionManager {
    private typealias RequestID = Envoy_Extensions_RequestId_Uuid_V3_UuidRequestIdConfig

    func setTracing(_ wire: inout WireManager) throws {
        if let tracing { wire.tracing = try tracing.wire() }
        guard !packsTraceReason || !samplesByRequestID else { return }
        var settings = RequestID()
        settings.packTraceReason = .init(packsTraceReason)
        settings.useRequestIDForTraceSampling = .init(samplesByRequestID)
        wire.requestIDExtension.typedConfig = try pack(settings)
    }

    mutating func readTracing(_ wire: WireManager, _ reader: WireReader) throws {
        if wire.hasTracing { tracing = try reader.at("tracing") { try Tracing(wire.tracing, reader) } }
        guard wire.hasRequestIDExtension else { return }
        let any = wire.requestIDExtension.typedConfig
        guard any.holds(RequestID.self) else {
            throw reader.error("request id extension \(any.messageName) is not supported")
        }
        let settings = try reader.unpack(any, as: RequestID.self)
        if settings.hasPackTraceReason { packsTraceReason = settings.packTraceReason.value }
        if settings.hasUseRequestIDForTraceSampling {
            samplesByRequestID = settings.useRequestIDForTraceSampling.value
        }
    }
}

extension Tracing {
    func wire() throws -> WireManager.Tracing {
        var wire = WireManager.Tracing()
        wire.clientSampling.value = clientSampling
        wire.randomSampling.value = randomSampling
        wire.overallSampling.value = overallSampling
        wire.verbose = isVerbose
        wire.maxPathTagLength = .init(maxPathTagLength)
        wire.customTags = customTags.map { $0.wire() }
        wire.spawnUpstreamSpan = .init(spawnsUpstreamSpan)
        wire.operation = operation
        wire.upstreamOperation = upstreamOperation
        if let provider { wire.provider = try provider.wire() }
        return wire
    }

    init(_ wire: WireManager.Tracing, _ reader: WireReader) throws {
        self.init()
        if wire.hasClientSampling { clientSampling = wire.clientSampling.value }
        if wire.hasRandomSampling { randomSampling = wire.randomSampling.value }
        if wire.hasOverallSampling { overallSampling = wire.overallSampling.value }
        isVerbose = wire.verbose
        if wire.hasMaxPathTagLength { maxPathTagLength = wire.maxPathTagLength.value }
        customTags = try reader.map("custom_tags", wire.customTags) { try CustomTag($0, reader) }
        spawnsUpstreamSpan = wire.spawnUpstreamSpan.value
        operation = try reader.format(wire.operation)
        upstreamOperation = try reader.format(wire.upstreamOperation)
        if wire.hasProvider { provider = try reader.at("provider") { try TracingProvider(wire.provider, reader) } }
    }
}

extension RouteTracing {
    func wire() -> Envoy_Config_Route_V3_Tracing {
        var wire = Envoy_Config_Route_V3_Tracing()
        wire.clientSampling = clientSampling.wire()
        wire.randomSampling = randomSampling.wire()
        wire.overallSampling = overallSampling.wire()
        wire.customTags = customTags.map { $0.wire() }
        wire.operation = operation
        wire.upstreamOperation = upstreamOperation
        return wire
    }

    init(_ wire: Envoy_Config_Route_V3_Tracing, _ reader: WireReader) throws {
        self.init()
        if wire.hasClientSampling { clientSampling = FractionalPercent(wire.clientSampling) }
        if wire.hasRandomSampling { randomSampling = FractionalPercent(wire.randomSampling) }
        if wire.hasOverallSampling { overallSampling = FractionalPercent(wire.overallSampling) }
        customTags = try reader.map("custom_tags", wire.customTags) { try CustomTag($0, reader) }
        operation = try reader.format(wire.operation)
        upstreamOperation = try reader.format(wire.upstreamOperation)
    }
}

extension WireReader {
    /// A format string that is known to be one.
    func format(_ text: String) throws -> String {
        do throws(FormatError) { _ = try FormatTemplate(text) } catch { throw self.error("\(error)") }
        return text
    }
}

extension CustomTag {
    func wire() -> Envoy_Type_Tracing_V3_CustomTag {
        var wire = WireTag()
        wire.tag = tag
        switch source {
        case .literal(let value): wire.literal.value = value
        case .environment(let name, let fallback):
            wire.environment.name = name
            wire.environment.defaultValue = fallback
        case .requestHeader(let name, let fallback):
            wire.requestHeader.name = name
            wire.requestHeader.defaultValue = fallback
        case .requestMetadata(let filter, let path, let fallback):
            wire.metadata.kind.request = .init()
            wire.metadata.metadataKey.key = filter
            wire.metadata.metadataKey.path = path.map { step in
                var segment = Envoy_Type_Metadata_V3_MetadataKey.PathSegment()
                segment.key = step
                return segment
            }
            wire.metadata.defaultValue = fallback
        case .format(let text): wire.value = text
        }
        return wire
    }

    init(_ wire: Envoy_Type_Tracing_V3_CustomTag, _ reader: WireReader) throws {
        let source: Source
        switch wire.type {
        case .literal(let literal): source = .literal(literal.value)
        case .environment(let item): source = .environment(name: item.name, default: item.defaultValue)
        case .requestHeader(let item): source = .requestHeader(name: item.name, default: item.defaultValue)
        case .metadata(let item):
            guard case .request? = item.kind.kind else {
                throw reader.error("custom tag \(wire.tag): only metadata of the request is supported")
            }
            source = .requestMetadata(
                filter: item.metadataKey.key, path: item.metadataKey.path.map(\.key), default: item.defaultValue)
        case .value(let text): source = .format(try reader.format(text))
        case nil: throw reader.error("custom tag \(wire.tag) has no value")
        }
        self.init(tag: wire.tag, source: source)
    }
}

extension TracingProvider {
    fileprivate func wire() throws -> Envoy_Config_Trace_V3_Tracing.Http {
        var wire = Envoy_Config_Trace_V3_Tracing.Http()
        switch self {
        case .openTelemetry(let settings):
            wire.name = "envoy.tracers.opentelemetry"
            wire.typedConfig = try pack(try settings.wire())
        case .zipkin(let settings):
            wire.name = "envoy.tracers.zipkin"
            wire.typedConfig = try pack(settings.wire())
        }
        return wire
    }

    fileprivate init(_ wire: Envoy_Config_Trace_V3_Tracing.Http, _ reader: WireReader) throws {
        let any = wire.typedConfig
        switch any.messageName {
        case WireOpenTelemetry.protoMessageName:
            self = .openTelemetry(
                try OpenTelemetryTracing(reader.unpack(any, as: WireOpenTelemetry.self), reader))
        case WireZipkin.protoMessageName:
            self = .zipkin(try ZipkinTracing(reader.unpack(any, as: WireZipkin.self), reader))
        default: throw reader.error("tracer \(wire.name) (\(any.messageName)) is not supported")
        }
    }
}

extension OpenTelemetryTracing {
    private typealias EnvironmentDetector =
        Envoy_Extensions_Tracers_Opentelemetry_ResourceDetectors_V3_EnvironmentResourceDetectorConfig

    fileprivate func wire() throws -> Envoy_Config_Trace_V3_OpenTelemetryConfig {
        var wire = WireOpenTelemetry()
        wire.serviceName = serviceName
        wire.maxCacheSize = .init(maxCacheSize)
        if detectsEnvironment {
            var detector = Envoy_Config_Core_V3_TypedExtensionConfig()
            detector.name = "envoy.tracers.opentelemetry.resource_detectors.environment"
            detector.typedConfig = try pack(EnvironmentDetector())
            wire.resourceDetectors = [detector]
        }
        guard let exporter else { return wire }
        let headers = exporter.headers.sorted { $0.key < $1.key }
        switch exporter.transport {
        case .grpc(let authority):
            wire.grpcService.envoyGrpc.clusterName = exporter.cluster
            wire.grpcService.envoyGrpc.authority = authority ?? ""
            wire.grpcService.timeout = .init(milliseconds: exporter.timeoutMilliseconds)
            wire.grpcService.initialMetadata = headers.map { .init($0.key, $0.value) }
        case .http(let uri):
            wire.httpService.httpUri.uri = uri
            wire.httpService.httpUri.cluster = exporter.cluster
            wire.httpService.httpUri.timeout = .init(milliseconds: exporter.timeoutMilliseconds)
            wire.httpService.requestHeadersToAdd = headers.map { name, value in
                var option = Core.HeaderValueOption()
                option.header = .init(name, value)
                return option
            }
        }
        return wire
    }

    fileprivate init(_ wire: Envoy_Config_Trace_V3_OpenTelemetryConfig, _ reader: WireReader) throws {
        self.init()
        serviceName = wire.serviceName
        if wire.hasMaxCacheSize { maxCacheSize = wire.maxCacheSize.value }
        for detector in wire.resourceDetectors {
            guard detector.typedConfig.holds(EnvironmentDetector.self) else {
                throw reader.error("resource detector \(detector.name) is not supported")
            }
            detectsEnvironment = true
        }
        if wire.hasGrpcService, wire.hasHTTPService { throw reader.error("grpc_service and http_service are both set") }
        if wire.hasGrpcService {
            let target = try GRPCTarget(wire.grpcService, reader)
            var exporter = Exporter(
                cluster: target.cluster, transport: .grpc(authority: target.authority),
                timeoutMilliseconds: target.timeoutMilliseconds ?? 5_000)
            exporter.headers = target.metadata
            self.exporter = exporter
        }
        if wire.hasHTTPService {
            let uri = wire.httpService.httpUri
            guard !uri.cluster.isEmpty, uri.uri.contains("://") else {
                throw reader.error("http_service.http_uri needs a uri and a cluster")
            }
            var exporter = Exporter(
                cluster: uri.cluster, transport: .http(uri: uri.uri), timeoutMilliseconds: uri.timeout.milliseconds)
            for item in wire.httpService.requestHeadersToAdd { exporter.headers[item.header.key] = item.header.value }
            self.exporter = exporter
        }
    }
}

extension ZipkinTracing {
    fileprivate func wire() -> Envoy_Config_Trace_V3_ZipkinConfig {
        var wire = WireZipkin()
        wire.collectorCluster = cluster
        wire.collectorEndpoint = endpoint
        wire.collectorHostname = hostname
        wire.collectorEndpointVersion = .httpJson
        wire.traceID128Bit = has128BitTraceIDs
        wire.sharedSpanContext = .init(sharesSpans)
        wire.splitSpansForRequest = splitsSpans
        wire.traceContextOption = alsoPropagatesW3C ? .useB3WithW3CPropagation : .useB3
        return wire
    }

    fileprivate init(_ wire: Envoy_Config_Trace_V3_ZipkinConfig, _ reader: WireReader) throws {
        guard !wire.collectorCluster.isEmpty, wire.collectorEndpoint.hasPrefix("/") else {
            throw reader.error("collector_cluster and a collector_endpoint that starts with / are needed")
        }
        guard wire.collectorEndpointVersion == .httpJson else {
            throw reader.error("collector_endpoint_version must be HTTP_JSON; others are not supported")
        }
        self.init(cluster: wire.collectorCluster, endpoint: wire.collectorEndpoint)
        hostname = wire.collectorHostname
        has128BitTraceIDs = wire.traceID128Bit
        sharesSpans = wire.hasSharedSpanContext ? wire.sharedSpanContext.value : true
        splitsSpans = wire.splitSpansForRequest
        alsoPropagatesW3C = wire.traceContextOption == .useB3WithW3CPropagation
    }
}
