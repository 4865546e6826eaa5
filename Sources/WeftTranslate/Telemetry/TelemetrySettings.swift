import WeftConfig
import WeftCore
import WeftIR

/// All that Telemetries and the mesh's settings come to for one proxy: what each side logs, counts and traces.
struct TelemetrySettings {
    struct Side {
        /// Of HTTP requests.
        var requestLogs: [AccessLog] = []
        /// Of connections.
        var connectionLogs: [AccessLog] = []
        /// `nil`: nobody takes metrics.
        var metrics: [MetricOverride]? = []
        var tracing: Tracing?
        var samplesByRequestID: Bool?
    }
    private(set) var client = Side()
    private(set) var server = Side()
    private(set) var diagnostics: [Diagnostic] = []

    /// Percent of requests that are traced when nothing says how many; Istio's default.
    private static let defaultSampling = 1.0

    init(scope: Scope) {
        let rules = TelemetryRules(scope: scope)
        client = side(.client, rules)
        server = side(.server, rules)
    }

    /// - Parameter reporter: who reports; the client's side is the source.
    func side(_ reporter: StatsFilter.Reporter) -> Side { reporter == .source ? client : server }

    private mutating func side(_ which: TelemetryRules.Side, _ rules: TelemetryRules) -> Side {
        let providers = TelemetryProviders(scope: rules.scope)
        var side = Side()
        side.requestLogs = logs(which, rules, providers, isHTTP: true)
        side.connectionLogs = logs(which, rules, providers, isHTTP: false)
        side.metrics = rules.metrics(which, isPrometheus: providers.isPrometheus)
        let spans = rules.spans(which)
        side.tracing = tracing(spans, rules, providers)
        side.samplesByRequestID = spans.samplesByRequestID
        return side
    }

    // MARK: - Access logs

    private mutating func logs(
        _ side: TelemetryRules.Side, _ rules: TelemetryRules, _ providers: TelemetryProviders, isHTTP: Bool
    ) -> [AccessLog] {
        guard rules.namesLogging else {
            guard let file = rules.scope.mesh.accessLogFile, !file.isEmpty else { return [] }
            return [AccessLog(path: file, format: rules.scope.meshLogFormat)]
        }
        return rules.logging(side).compactMap { entry in
            do throws(TelemetryProviders.Problem) {
                guard let sink = try providers.log(entry.provider, isHTTP: isHTTP) else { return nil }
                var log = AccessLog(sink)
                // Admission refuses what cannot be read; an object from before it logs everything.
                let filter = entry.filter.flatMap { try? AttributeExpression(parsing: $0) }
                log.filter = filter.map { .expression($0.source) }
                return log
            } catch {
                report(error, of: entry.provider, rules) { $0.spec.accessLogging?.flatMap(\.providers.names) ?? [] }
                return nil
            }
        }
    }

    // MARK: - Tracing

    private mutating func tracing(
        _ spans: TelemetryRules.Spans, _ rules: TelemetryRules, _ providers: TelemetryProviders
    ) -> Tracing? {
        let scope = rules.scope
        guard scope.mesh.enableTracing != false, !spans.isDisabled else { return nil }
        let legacy = scope.mesh.defaultConfig?["tracing"]
        var tracing = Tracing()
        do throws(TelemetryProviders.Problem) {
            if let name = spans.provider {
                let (provider, limit) = try providers.tracer(name)
                tracing.provider = provider
                if let limit, limit > 0 { tracing.maxPathTagLength = limit }
            } else if let collector = TelemetryProviders.defaultCollector(of: scope.mesh) {
                tracing.provider = try providers.zipkin(at: collector)
            } else {
                return nil
            }
        } catch {
            report(error, of: spans.provider ?? "", rules) { $0.spec.tracing?.flatMap(\.providers.names) ?? [] }
            return nil
        }
        tracing.randomSampling = spans.sampling ?? legacy?["sampling"]?.doubleValue ?? Self.defaultSampling
        tracing.customTags = tags(spans.tags) + (spans.hasIstioTags ? istioTags(scope) : [])
        return tracing
    }

    private func tags(_ tags: [String: Telemetry.CustomTag]) -> [CustomTag] {
        tags.sorted { $0.key < $1.key }.compactMap { name, tag in
            if let literal = tag.literal?.value { return CustomTag(tag: name, source: .literal(literal)) }
            if let variable = tag.environment, let key = variable.name {
                return CustomTag(tag: name, source: .environment(name: key, default: variable.defaultValue ?? ""))
            }
            if let header = tag.header, let key = header.name {
                return CustomTag(tag: name, source: .requestHeader(name: key, default: header.defaultValue ?? ""))
            }
            return tag.formatter?.value.map { CustomTag(tag: name, source: .format($0)) }
        }
    }

    /// What Istio's spans tell of the workload.
    private func istioTags(_ scope: Scope) -> [CustomTag] {
        let names = CanonicalName(labels: scope.proxy.labels)
        typealias Source = CustomTag.Source
        let own: (service: Source, revision: Source) =
            scope.proxy.knowsItsName
            ? (
                .environment(name: CanonicalName.serviceVariable, default: CanonicalName.unknownService),
                .environment(name: CanonicalName.revisionVariable, default: CanonicalName.unknownRevision)
            ) : (.literal(names.service ?? CanonicalName.unknownService), .literal(names.revision))
        let values: [(String, String?)] = [
            ("istio.cluster_id", scope.proxy.metadata["CLUSTER_ID"]?.stringValue),
            ("istio.mesh_id", scope.proxy.metadata["MESH_ID"]?.stringValue ?? scope.mesh.effectiveTrustDomain),
            ("istio.namespace", scope.proxy.namespace),
        ]
        return [
            CustomTag(tag: "istio.canonical_revision", source: own.revision),
            CustomTag(tag: "istio.canonical_service", source: own.service),
        ] + values.compactMap { name, value in value.map { CustomTag(tag: name, source: .literal($0)) } }
    }

    // MARK: - Problems

    /// Told of the objects that name the provider, or of the mesh's settings.
    private mutating func report(
        _ problem: TelemetryProviders.Problem, of provider: String, _ rules: TelemetryRules,
        _ names: (Config<Telemetry>) -> [String]
    ) {
        let mesh = ResourceReference(
            kind: "ConfigMap", namespace: rules.scope.mesh.effectiveRootNamespace, name: "istio")
        let named = rules.inForce.filter { names($0).contains(provider) }.map(\.resource)
        for resource in named.isEmpty ? [mesh] : named {
            let diagnostic = Diagnostic(
                problem.severity, code: "IST0101", resource: resource, path: named.isEmpty ? "data.mesh" : "spec",
                message: problem.message, hint: problem.hint)
            if !diagnostics.contains(diagnostic) { diagnostics.append(diagnostic) }
        }
    }
}

extension MeshConfig {
    /// Proxies may trace without a Telemetry that says so.
    var tracesByDefault: Bool {
        !(defaultProviders?.tracing ?? []).isEmpty || TelemetryProviders.defaultCollector(of: self) != nil
    }
}
