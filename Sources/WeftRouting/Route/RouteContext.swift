import WeftIR

/// What filters have said about a request: a tree of values (`google.protobuf.Struct`).
package indirect enum DynamicValue: Sendable, Hashable {
    case null
    case string(String)
    case number(Double)
    case bool(Bool)
    case list([DynamicValue])
    case object([String: DynamicValue])

    /// The value at a path of object keys.
    package subscript(path: [String]) -> DynamicValue? {
        var value: DynamicValue? = self
        for step in path {
            if case .object(let members)? = value { value = members[step] } else { value = nil }
        }
        return value
    }
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
package struct CompiledMetadataMatcher: Sendable {
    private let matcher: DynamicMetadataMatcher
    private let string: CompiledStringMatcher?

    init(_ matcher: DynamicMetadataMatcher) {
        self.matcher = matcher
        if case .string(let text) = matcher.test { string = CompiledStringMatcher(text) } else { string = nil }
    }

    var isBroken: Bool { string?.isBroken == true }

    func matches(_ metadata: [String: DynamicValue]) -> Bool { decide(value(in: metadata)) != matcher.invert }

    /// Whether there is a value at the matcher's path.
    func finds(_ metadata: [String: DynamicValue]) -> Bool { value(in: metadata) != nil }

    private func value(in metadata: [String: DynamicValue]) -> DynamicValue? {
        metadata[matcher.filter]?[matcher.path]
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
