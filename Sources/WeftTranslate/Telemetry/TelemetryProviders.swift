import WeftConfig
import WeftCore
import WeftIR

/// The services behind providers' names, as far as one proxy can use them.
struct TelemetryProviders {
    let scope: Scope

    /// Why a provider cannot be used.
    struct Problem: Error {
        var severity = Diagnostic.Severity.error
        var message: String
        var hint: String
    }

    /// Providers that are there without being defined.
    static func builtIn(in mesh: MeshConfig) -> [ExtensionProvider] {
        var prometheus = ExtensionProvider(name: "prometheus")
        prometheus.prometheus = .object([:])
        var envoy = ExtensionProvider(name: "envoy")
        envoy.envoyFileAccessLog = ExtensionProvider.FileLog(path: "/dev/stdout")
        var weft = ExtensionProvider(name: ExtensionProvider.weft)
        // Where Jaeger's collector would be: who installs the real one later gets the spans there.
        weft.opentelemetry = ExtensionProvider.OpenTelemetry(
            service: "jaeger-collector.\(mesh.effectiveRootNamespace).svc.\(MeshSnapshot.clusterDomain)", port: 4317)
        return [prometheus, envoy, weft]
    }

    func provider(_ name: String) -> ExtensionProvider? {
        scope.mesh.extensionProviders?.first { $0.name == name }
            ?? Self.builtIn(in: scope.mesh).first { $0.name == name }
    }

    func isPrometheus(_ name: String) -> Bool { provider(name)?.prometheus != nil }

    private func defined(_ name: String) throws(Problem) -> ExtensionProvider {
        guard let provider = provider(name) else {
            throw Problem(
                message: "extension provider \"\(name)\" is not defined",
                hint: "define it under extensionProviders of the mesh configuration")
        }
        return provider
    }

    private func unsupported(_ name: String, _ purpose: String, _ kinds: String) -> Problem {
        Problem(
            message: "extension provider \"\(name)\" is of no kind that \(purpose) here",
            hint: "kinds that do are \(kinds)")
    }

    // MARK: - Access logs

    /// Where a provider's entries go; `nil` when it is not for this kind of traffic.
    func log(_ name: String, isHTTP: Bool) throws(Problem) -> AccessLog.Sink? {
        let provider = try defined(name)
        if let file = provider.envoyFileAccessLog {
            let path = file.path.flatMap { $0.isEmpty ? nil : $0 } ?? "/dev/stdout"
            return .file(path: path, format: format(file.logFormat), omitsEmptyValues: file.omitEmptyValues ?? false)
        }
        if let service = provider.envoyHttpAls { return isHTTP ? .service(try logService(service, .http, name)) : nil }
        if let service = provider.envoyTcpAls { return isHTTP ? nil : .service(try logService(service, .tcp, name)) }
        throw unsupported(name, "logs requests", "envoyFileAccessLog, envoyHttpAls and envoyTcpAls")
    }

    /// One that cannot be read gives way to the mesh's: proxies refuse a listener for it. Findings about the mesh
    /// configuration tell it.
    private func format(_ own: ExtensionProvider.FileLog.Format?) -> AccessLog.Format {
        if let labels = own?.labels, !labels.isEmpty, JSONValue.object(labels).formatProblem == nil {
            return .json(labels)
        }
        guard let text = own?.text, !text.isEmpty, JSONValue.string(text).formatProblem == nil else {
            return scope.meshLogFormat
        }
        return .text(text.hasSuffix("\n") ? text : text + "\n")
    }

    private func logService(
        _ settings: ExtensionProvider.LogService, _ kind: AccessLogService.Kind, _ name: String
    ) throws(Problem) -> AccessLogService {
        let (service, port) = try target(settings.service, settings.port, name, mustBeHTTP2: true)
        let logName = settings.logName.flatMap { $0.isEmpty ? nil : $0 }
        var log = AccessLogService(
            kind: kind, logName: logName ?? (kind == .http ? "http_envoy_accesslog" : "tcp_envoy_accesslog"),
            cluster: ClusterName.outbound(port: port, host: service.host))
        log.authority = service.host
        log.requestHeaders = settings.additionalRequestHeadersToLog ?? []
        log.responseHeaders = settings.additionalResponseHeadersToLog ?? []
        log.responseTrailers = settings.additionalResponseTrailersToLog ?? []
        return log
    }

    // MARK: - Tracing

    func tracer(_ name: String) throws(Problem) -> (provider: TracingProvider, maxTagLength: UInt32?) {
        let provider = try defined(name)
        if let settings = provider.zipkin {
            let (service, port) = try target(settings.service, settings.port, name, mustBeHTTP2: false)
            return (.zipkin(zipkin(settings, service, port)), settings.maxTagLength)
        }
        guard let settings = provider.opentelemetry else {
            throw unsupported(name, "takes spans", "opentelemetry and zipkin")
        }
        let isHTTP = settings.http != nil
        let (service, port) = try target(settings.service, settings.port, name, mustBeHTTP2: !isHTTP)
        return (.openTelemetry(openTelemetry(settings, service, port)), settings.maxTagLength)
    }

    /// Where `defaultConfig.tracing.zipkin.address` of the mesh leads; `nil` when it is not there, or no `HOST:PORT`.
    static func defaultCollector(of mesh: MeshConfig) -> (host: String, port: Int)? {
        let address = mesh.defaultConfig?[path: "tracing", "zipkin", "address"]?.stringValue ?? ""
        let parts = address.split(separator: ":").map(String.init)
        guard parts.count == 2, let port = Int(parts[1]) else { return nil }
        let labels = parts[0].split(separator: ".").count
        return (labels == 2 ? "\(parts[0]).svc.\(MeshSnapshot.clusterDomain)" : parts[0], port)
    }

    /// The collector of the mesh's default configuration.
    func zipkin(at collector: (host: String, port: Int)) throws(Problem) -> TracingProvider {
        let (service, number) = try target(
            collector.host, collector.port, "defaultConfig.tracing.zipkin", mustBeHTTP2: false)
        return .zipkin(zipkin(ExtensionProvider.Zipkin(), service, number))
    }

    private func zipkin(_ settings: ExtensionProvider.Zipkin, _ service: MeshService, _ port: Int) -> ZipkinTracing {
        let path = settings.path.flatMap { $0.isEmpty ? nil : $0 } ?? "/api/v2/spans"
        var tracing = ZipkinTracing(cluster: ClusterName.outbound(port: port, host: service.host), endpoint: path)
        tracing.hostname = service.host
        tracing.has128BitTraceIDs = settings.enable64bitTraceId != true
        tracing.sharesSpans = false
        tracing.alsoPropagatesW3C = settings.traceContextOption == .b3AndW3C
        return tracing
    }

    private func openTelemetry(
        _ settings: ExtensionProvider.OpenTelemetry, _ service: MeshService, _ port: Int
    ) -> OpenTelemetryTracing {
        typealias Exporter = OpenTelemetryTracing.Exporter
        let cluster = ClusterName.outbound(port: port, host: service.host)
        var exporter: Exporter
        if let http = settings.http {
            let path = http.path.flatMap { $0.isEmpty ? nil : $0 } ?? "/v1/traces"
            exporter = Exporter(
                cluster: cluster, transport: .http(uri: "http://\(service.host):\(port)\(path)"),
                timeoutMilliseconds: http.timeout?.milliseconds ?? 3_000)
        } else {
            exporter = Exporter(
                cluster: cluster, transport: .grpc(authority: service.host),
                timeoutMilliseconds: settings.grpc?.timeout?.milliseconds ?? 5_000)
        }
        for header in settings.http?.headers ?? settings.grpc?.initialMetadata ?? [] {
            if let name = header.name, let value = header.value { exporter.headers[name.lowercased()] = value }
        }
        var tracing = OpenTelemetryTracing()
        tracing.exporter = exporter
        let knowsItsName = scope.proxy.knowsItsName
        if !knowsItsName {
            let names = CanonicalName(labels: scope.proxy.labels)
            tracing.serviceName = names.tracingService(in: scope.proxy.namespace)
        }
        tracing.detectsEnvironment = knowsItsName || settings.resourceDetectors?.environment != nil
        return tracing
    }

    // MARK: - Services

    /// The service that a provider names, as far as the proxy has a cluster for it.
    private func target(
        _ name: String?, _ port: Int?, _ provider: String, mustBeHTTP2: Bool
    ) throws(Problem) -> (MeshService, Int) {
        let text = name ?? ""
        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
        let host = parts.count == 2 ? parts[1] : text
        let namespace = parts.count == 2 ? parts[0] : nil
        let found = scope.services.first { $0.host == host && (namespace == nil || $0.namespace == namespace) }
        guard let service = found else {
            // A Sidecar may have left it out on purpose.
            throw Problem(
                severity: scope.sidecar == nil ? .error : .warning,
                message: "extension provider \"\(provider)\": no service \(text) is known to this proxy",
                hint: "create the Service or ServiceEntry, and let the namespace's Sidecar reach it")
        }
        guard let number = port, let declared = service.port(number) else {
            throw Problem(
                message: "extension provider \"\(provider)\": \(service.host) has no port \(port ?? 0)",
                hint: "name a port of the service")
        }
        guard !mustBeHTTP2 || declared.protocol.isHTTP2 else {
            throw Problem(
                message: "extension provider \"\(provider)\": port \(number) of \(service.host) must speak gRPC",
                hint: "let the port's name begin with grpc, or set its appProtocol to grpc")
        }
        return (service, number)
    }
}

extension Scope {
    /// The format of log lines for which nothing else is said: the mesh's own if it can be read, else the standard one.
    var meshLogFormat: AccessLog.Format {
        guard mesh.accessLogEncoding != .json else {
            let own = mesh.accessLogFormat.flatMap { try? JSONValue(parsing: $0) }
            let members = own?.formatProblem == nil ? own?.objectValue : nil
            return .json(members ?? AccessLogFormat.json.mapValues { .string($0) })
        }
        let own = mesh.accessLogFormat.flatMap { text in
            text.isEmpty || JSONValue.string(text).formatProblem != nil ? nil : text
        }
        return .text(own ?? AccessLogFormat.text)
    }
}
