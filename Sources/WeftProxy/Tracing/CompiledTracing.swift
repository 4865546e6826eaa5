import WeftCore
import WeftIR
import WeftRouting

/// A connection manager's tracing with its tags and names compiled. Immutable; an object, as every request looks at it.
final class CompiledTracing: Sendable {
    let settings: Tracing
    let decision: TraceDecision
    let tags: [CompiledTag]
    /// Name of the spans; `nil` is Envoy's default.
    let operation: FormatTemplate?
    let upstreamOperation: FormatTemplate?
    /// Spans tell of calls that go out.
    let isEgress: Bool
    /// A span for each try at an upstream.
    let hasUpstreamSpans: Bool
    /// The provider, when it is Zipkin; else contexts travel in `traceparent` alone.
    let zipkin: ZipkinTracing?

    init(_ settings: Tracing, direction: TrafficDirection) {
        self.settings = settings
        decision = TraceDecision(settings)
        tags = settings.customTags.map(CompiledTag.init)
        operation = CompiledTracing.template(settings.operation)
        upstreamOperation = CompiledTracing.template(settings.upstreamOperation)
        isEgress = direction == .outbound
        if case .zipkin(let zipkin)? = settings.provider {
            hasUpstreamSpans = settings.spawnsUpstreamSpan || zipkin.splitsSpans
            self.zipkin = zipkin
        } else {
            hasUpstreamSpans = settings.spawnsUpstreamSpan
            zipkin = nil
        }
    }

    /// Formats are checked when a configuration is decoded; one that came another way and is wrong names nothing.
    static func template(_ text: String) -> FormatTemplate? { text.isEmpty ? nil : try? FormatTemplate(text) }
}

/// What a route changes, compiled when first needed and kept by the worker.
final class CompiledRouteTracing {
    let decision: TraceDecision
    let tags: [CompiledTag]
    let operation: FormatTemplate?
    let upstreamOperation: FormatTemplate?

    init(_ settings: RouteTracing) {
        decision = TraceDecision(settings)
        tags = settings.customTags.map(CompiledTag.init)
        operation = CompiledTracing.template(settings.operation)
        upstreamOperation = CompiledTracing.template(settings.upstreamOperation)
    }
}

/// A custom tag, ready to be filled. Immutable.
struct CompiledTag: Sendable {
    private enum Source: Sendable {
        case fixed(String)
        case header(String, String)
        case metadata(String, [String], String)
        case format(FormatTemplate)
    }
    let tag: String
    private let source: Source

    init(_ tag: CustomTag) {
        self.tag = tag.tag
        switch tag.source {
        case .literal(let value): source = .fixed(value)
        case .environment(let name, let fallback): source = .fixed(Environment.value(name) ?? fallback)
        case .requestHeader(let name, let fallback): source = .header(name, fallback)
        case .requestMetadata(let filter, let path, let fallback): source = .metadata(filter, path, fallback)
        case .format(let text):
            if let template = CompiledTracing.template(text) { source = .format(template) } else { source = .fixed("") }
        }
    }

    /// - Returns: `nil` for a value that is empty: such a tag is left out.
    func value(_ context: LogContext) -> String? {
        let text: String
        switch source {
        case .fixed(let value): text = value
        case .header(let name, let fallback): text = context.exchange?.header(name) ?? fallback
        case .metadata(let filter, let path, let fallback):
            text = context.value(.dynamicMetadata([filter] + path)).string ?? fallback
        case .format(let template): text = context.expand(template, missing: "")
        }
        return text.isEmpty ? nil : text
    }
}
