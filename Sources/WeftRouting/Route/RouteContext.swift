import WeftIR

/// What filters have said about a request: a tree of values (`google.protobuf.Struct`).
package indirect enum DynamicValue: Sendable, Hashable {
    case null
    case string(String)
    case number(Double)
    case bool(Bool)
    case list([DynamicValue])
    case object([String: DynamicValue])
}

/// What a route match looks at besides the request's head.
package struct RouteContext: Sendable {
    /// Whether the client showed a certificate, and whether it was verified.
    package var presentedCertificate = false
    package var validatedCertificate = false
    /// Dynamic metadata by the name of the filter that set it.
    package var metadata: [String: DynamicValue] = [:]
    package init() {}
}

/// A compiled `MetadataMatcher`.
struct CompiledMetadataMatcher: Sendable {
    private let matcher: DynamicMetadataMatcher
    private let string: CompiledStringMatcher?

    init(_ matcher: DynamicMetadataMatcher) {
        self.matcher = matcher
        if case .string(let text) = matcher.test { string = CompiledStringMatcher(text) } else { string = nil }
    }

    var isBroken: Bool { string?.isBroken == true }

    func matches(_ metadata: [String: DynamicValue]) -> Bool {
        var value = metadata[matcher.filter]
        for step in matcher.path {
            if case .object(let members)? = value { value = members[step] } else { value = nil }
        }
        return decide(value) != matcher.invert
    }

    private func decide(_ value: DynamicValue?) -> Bool {
        switch (matcher.test, value) {
        case (.present(let wanted), let value): (value != nil) == wanted
        case (.string, .string(let text)?): string?.matches(text) == true
        case (.number(let start, let end), .number(let number)?):
            start == end ? number == start : number >= start && number < end
        case (.bool(let wanted), .bool(let value)?): wanted == value
        case (.null, .null?): true
        default: false
        }
    }
}
