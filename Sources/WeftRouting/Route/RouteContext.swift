package import WeftIR

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
    private indirect enum Test: Sendable {
        case present(Bool)
        case string(CompiledStringMatcher)
        case number(Double, Double)
        case bool(Bool)
        case null
        case list(Test)
        case any([Test])

        init(_ test: DynamicMetadataMatcher.Test) {
            self =
                switch test {
                case .present(let wanted): .present(wanted)
                case .string(let matcher): .string(CompiledStringMatcher(matcher))
                case .number(let start, let end): .number(start, end)
                case .bool(let flag): .bool(flag)
                case .null: .null
                case .list(let element): .list(Test(element))
                case .any(let tests): .any(tests.map(Test.init))
                }
        }

        var isBroken: Bool {
            switch self {
            case .string(let matcher): matcher.isBroken
            case .list(let element): element.isBroken
            case .any(let tests): tests.contains(where: \.isBroken)
            case .present, .number, .bool, .null: false
            }
        }
    }
    private let filter: String
    private let path: [String]
    private let invert: Bool
    private let test: Test

    package init(_ matcher: DynamicMetadataMatcher) {
        filter = matcher.filter
        path = matcher.path
        invert = matcher.invert
        test = Test(matcher.test)
    }

    var isBroken: Bool { test.isBroken }

    package func matches(_ metadata: [String: DynamicValue]) -> Bool {
        Self.decide(test, value(in: metadata)) != invert
    }

    /// Whether there is a value at the matcher's path.
    func finds(_ metadata: [String: DynamicValue]) -> Bool { value(in: metadata) != nil }

    private func value(in metadata: [String: DynamicValue]) -> DynamicValue? { metadata[filter]?[path] }

    private static func decide(_ test: Test, _ value: DynamicValue?) -> Bool {
        switch (test, value) {
        case (.any(let tests), let value): tests.contains { decide($0, value) }
        case (.present(let wanted), let value): (value != nil) == wanted
        case (.string(let matcher), .string(let text)?): matcher.matches(text)
        case (.number(let start, let end), .number(let number)?):
            start == end ? number == start : number >= start && number < end
        case (.bool(let wanted), .bool(let value)?): wanted == value
        case (.null, .null?): true
        case (.list(let element), .list(let values)?): values.contains { decide(element, $0) }
        default: false
        }
    }
}
