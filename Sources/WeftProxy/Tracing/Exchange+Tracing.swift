import NIOCore
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting

/// Whether a request is traced, its span, and the headers that carry the trace on. In the order that Envoy has.
extension Exchange {
    private static var forceTrace: HeaderName { "x-envoy-force-trace" }
    private static var clientTraceID: HeaderName { "x-client-trace-id" }
    private static var decoratorOperation: HeaderName { "x-envoy-decorator-operation" }
    private static var serviceCluster: HeaderName { "x-envoy-downstream-service-cluster" }

    /// After the path is normal, before any filter.
    func startTrace(_ tracing: CompiledTracing) {
        let route = resolveRoute()
        let own = route.flatMap { decision in decision.route.tracing.map { worker.tracers.route(decision, $0) } }
        let reason = traceReason(tracing, own)
        worker.tracers.count(reason, manager: connection.manager)
        let isTraced = reason != .notTraceable
        var span = openSpan(tracing, isTraced: isTraced)
        nameSpan(&span, tracing, own, route)
        span.reason = reason
        self.span = span
    }

    private func traceReason(_ tracing: CompiledTracing, _ route: CompiledRouteTracing?) -> TraceReason {
        var known: TraceableID?
        guard head.headers.lookAtFirst(.requestID, { known = TraceableID($0) }), let id = known else {
            return .notTraceable
        }
        // Without it, only the tracer's own word counts: every request is offered.
        guard manager.samplesByRequestID else { return .sampled }
        let reason = (route?.decision ?? tracing.decision).reason(
            id, hasClientTraceID: head.headers.holds(Self.clientTraceID),
            isForced: head.headers.holds(Self.forceTrace), number: worker.decisions.next())
        if reason != id.reason, manager.packsTraceReason, let text = head.headers.string(.requestID) {
            head.headers.set(.requestID, reason.written(into: text))
        }
        return reason
    }

    private func openSpan(_ tracing: CompiledTracing, isTraced: Bool) -> Span {
        var isShared = false
        let context: TraceContext
        if let zipkin = tracing.zipkin {
            (context, isShared) = zipkinContext(zipkin, tracing, isTraced: isTraced)
        } else {
            context =
                TraceContext(inPlace: &head.headers)?.child(&worker.decisions)
                ?? TraceContext(random: &worker.decisions, isSampled: isTraced)
        }
        return Span(context, name: "", isClient: tracing.isEgress, isShared: isShared, started: record.started)
    }

    private func zipkinContext(
        _ zipkin: ZipkinTracing, _ tracing: CompiledTracing, isTraced: Bool
    ) -> (TraceContext, isShared: Bool) {
        let w3c = zipkin.alsoPropagatesW3C ? TraceContext(w3c: head.headers) : nil
        if var known = TraceContext(b3: head.headers) ?? w3c {
            if !known.isDecided { known.isSampled = isTraced }
            let isShared = zipkin.sharesSpans && !tracing.isEgress
            return (isShared ? known : known.child(&worker.decisions), isShared)
        }
        let isSampled = TraceContext.b3Decision(head.headers) ?? isTraced
        var context = TraceContext(
            random: &worker.decisions, isSampled: isSampled, has128Bits: zipkin.has128BitTraceIDs)
        // The first span of a trace has the trace's id, as Envoy's tracer makes it.
        context.spanID = context.traceLow
        return (context, false)
    }

    private func nameSpan(
        _ span: inout Span, _ tracing: CompiledTracing, _ route: CompiledRouteTracing?, _ decision: RouteDecision?
    ) {
        // A span that is not exported needs no name.
        if span.isSampled {
            span.name = tracing.isEgress ? "egress \(head.host)" : "ingress"
            if let template = route?.operation ?? tracing.operation {
                let text = LogContext(self).expand(template, missing: "")
                if !text.isEmpty { span.name = text }
            }
        }
        let decorated = decision?.route.operation.flatMap { $0.isEmpty ? nil : $0 }
        if let decorated { span.name = decorated }
        guard !tracing.isEgress else {
            if let decorated, decision?.route.propagatesOperation == true {
                head.headers.set(Self.decoratorOperation, decorated)
            }
            return
        }
        guard head.headers.holds(Self.decoratorOperation),
            let named = head.headers.string(Self.decoratorOperation)
        else { return }
        if !named.isEmpty { span.name = named }
        head.headers.remove(Self.decoratorOperation)
    }

    /// Before each try: the upstream's parent is this proxy's span, or the try's own.
    func carryTrace() {
        guard let span, let tracing = connection.manager.tracing else { return }
        guard tracing.hasUpstreamSpans || tracing.zipkin != nil else {
            return span.context.writeW3C(to: &head.headers)
        }
        endTry(now: .now())
        var context = span.context
        if tracing.hasUpstreamSpans {
            let name = span.isSampled ? tryName(tracing) : ""
            let tried = Span(span.context.child(&worker.decisions), name: name, isClient: true, started: .now())
            upstreamSpan = tried
            context = tried.context
        }
        if let zipkin = tracing.zipkin {
            context.writeB3(to: &head.headers)
            if zipkin.alsoPropagatesW3C { context.writeW3C(to: &head.headers) }
        } else {
            context.writeW3C(to: &head.headers)
        }
    }

    /// What the span of a try is called.
    private func tryName(_ tracing: CompiledTracing) -> String {
        let own = decision.flatMap { decision in
            decision.route.tracing.map { worker.tracers.route(decision, $0) }
        }
        if let template = own?.upstreamOperation ?? tracing.upstreamOperation {
            let text = LogContext(self).expand(template, missing: "")
            if !text.isEmpty { return text }
        }
        return "router \(cluster?.compiled.cluster.name ?? "") egress"
    }

    /// The spans are over, and go to the collector if they were sampled.
    func endTrace(now: NIODeadline) {
        if upstreamSpan != nil { endTry(now: now) }
        guard let span, span.isSampled, let tracing = connection.manager.tracing else { return }
        let context = LogContext(self)
        var tags = requestTags(tracing)
        tags.append(("request_size", String(record.bytesReceived)))
        tags.append(("response_size", String(record.bytesSent)))
        tags += commonTags(context, tracing) + decisionTags(context)
        worker.tracers.add(span.finished(tags, now: now, isError: isTraceError), of: tracing)
    }

    private func endTry(now: NIODeadline) {
        guard let tried = upstreamSpan, let tracing = connection.manager.tracing else { return }
        upstreamSpan = nil
        guard tried.isSampled else { return }
        var tags: [(String, String)] = [("http.protocol", record.upstreamProtocol ?? "-")]
        if let host = record.upstreamHost {
            tags += [("upstream_address", host), ("peer.address", host)]
        }
        if attemptCount > 1 { tags.append(("retry.count", String(attemptCount - 1))) }
        tags += commonTags(LogContext(self), tracing)
        worker.tracers.add(tried.finished(tags, now: now, isError: isTraceError), of: tracing)
    }

    private var isTraceError: Bool { record.status == 0 || record.status >= 500 }

    private func requestTags(_ tracing: CompiledTracing) -> [(String, String)] {
        var tags: [(String, String)] = [
            ("node_id", worker.node.id), ("zone", worker.node.zone),
        ]
        if let id = head.headers.string(.requestID) { tags.append(("guid:x-request-id", id)) }
        let path = head.headers.string(.envoyOriginalPath) ?? head.target
        let limit = Int(tracing.settings.maxPathTagLength)
        let scheme = head.headers.string(.forwardedProto) ?? ""
        tags.append(("http.url", "\(scheme)://\(head.host)\(path.prefix(limit))"))
        tags.append(("http.method", original.method.description))
        tags.append(("downstream_cluster", filled(head.headers.string(Self.serviceCluster)) ?? "-"))
        tags.append(("user_agent", filled(head.headers.string(.userAgent)) ?? "-"))
        tags.append(("http.protocol", "\(original.version.name)"))
        tags.append(("peer.address", connection.connection.info.remoteIP))
        if let id = head.headers.string(Self.clientTraceID) { tags.append(("guid:x-client-trace-id", id)) }
        guard original.isGRPC else { return tags }
        tags.append(("grpc.path", head.target))
        tags.append(("grpc.authority", head.host))
        tags.append(("grpc.content_type", head.headers.string(.contentType) ?? ""))
        if let limit = head.headers.string(.grpcTimeout) { tags.append(("grpc.timeout", limit)) }
        return tags
    }

    /// Which object and route decided, why it ended as it did (a policy's name is in the details of a refusal), and how often
    /// it was tried again.
    private func decisionTags(_ context: LogContext) -> [(String, String)] {
        var tags: [(String, String)] = []
        if let origin = decidedBy {
            tags.append(("weft.config", origin))
            if let route = filled(context.value(.routeName).string) { tags.append(("weft.route", route)) }
        }
        if let details = filled(context.value(.responseCodeDetails).string), details != "via_upstream" {
            tags.append(("response_code_details", details))
        }
        if attemptCount > 1 { tags.append(("retry.count", String(attemptCount - 1))) }
        return tags
    }

    private func filled(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }

    private func commonTags(_ context: LogContext, _ tracing: CompiledTracing) -> [(String, String)] {
        var tags: [(String, String)] = [("component", "proxy")]
        if let name = context.cluster {
            let alternative = filled(cluster?.compiled.cluster.altStatName)
            tags += [("upstream_cluster", name), ("upstream_cluster.name", alternative ?? name)]
        }
        tags.append(("http.status_code", String(record.status)))
        if let status = record.grpcStatus { tags.append(("grpc.status_code", status)) }
        tags.append(("response_flags", record.flag))
        if isTraceError { tags.append(("error", "true")) }
        for tag in tracing.tags { if let value = tag.value(context) { tags.append((tag.tag, value)) } }
        guard let decision, let settings = decision.route.tracing else { return tags }
        for tag in worker.tracers.route(decision, settings).tags {
            if let value = tag.value(context) { tags.append((tag.tag, value)) }
        }
        return tags
    }
}
