import SwiftProtobuf
import WeftIR
import WeftProto

extension Google_Protobuf_DoubleValue {
    init(_ value: Double) {
        self.init()
        self.value = value
    }
}

extension MetadataValue {
    var wire: Google_Protobuf_Value {
        var wire = Google_Protobuf_Value()
        switch self {
        case .string(let text): wire.stringValue = text
        case .number(let number): wire.numberValue = number
        case .bool(let flag): wire.boolValue = flag
        case .list(let values): wire.listValue.values = values.map(\.wire)
        case .object(let members): wire.structValue = members.wire
        }
        return wire
    }

    /// - Returns: `nil` for null, which nothing can be compared with.
    init?(_ wire: Google_Protobuf_Value) {
        switch wire.kind {
        case .stringValue(let text): self = .string(text)
        case .numberValue(let number): self = .number(number)
        case .boolValue(let flag): self = .bool(flag)
        case .listValue(let list): self = .list(list.values.compactMap(MetadataValue.init))
        case .structValue(let members): self = .object(.init(members))
        case .nullValue, nil: return nil
        }
    }
}

extension [String: MetadataValue] {
    init(_ wire: Google_Protobuf_Struct) { self = wire.fields.compactMapValues(MetadataValue.init) }

    var wire: Google_Protobuf_Struct {
        var wire = Google_Protobuf_Struct()
        wire.fields = mapValues(\.wire)
        return wire
    }
}

extension Core.Metadata {
    /// What load balancers compare (`filter_metadata["envoy.lb"]`).
    var balancing: [String: MetadataValue] {
        get { filterMetadata["envoy.lb"].map([String: MetadataValue].init) ?? [:] }
        set { filterMetadata["envoy.lb"] = newValue.isEmpty ? nil : newValue.wire }
    }
}

extension DynamicMetadataMatcher {
    private typealias Wire = Envoy_Type_Matcher_V3_MetadataMatcher

    func wire() -> Envoy_Type_Matcher_V3_MetadataMatcher {
        var wire = Wire()
        wire.filter = filter
        wire.path = path.map { key in
            var segment = Wire.PathSegment()
            segment.key = key
            return segment
        }
        wire.invert = invert
        wire.value = test.wire()
        return wire
    }

    init(_ wire: Envoy_Type_Matcher_V3_MetadataMatcher, _ reader: WireReader) throws {
        self.init(
            filter: wire.filter, path: wire.path.map(\.key), test: try Test(wire.value, reader), invert: wire.invert)
    }
}

extension DynamicMetadataMatcher.Test {
    fileprivate func wire() -> Envoy_Type_Matcher_V3_ValueMatcher {
        var wire = Envoy_Type_Matcher_V3_ValueMatcher()
        switch self {
        case .present(let present): wire.presentMatch = present
        case .string(let matcher): wire.stringMatch = matcher.wire()
        case .number(let start, let end):
            if start == end {
                wire.doubleMatch.exact = start
            } else {
                wire.doubleMatch.range.start = start
                wire.doubleMatch.range.end = end
            }
        case .bool(let flag): wire.boolMatch = flag
        case .null: wire.nullMatch = .init()
        case .list(let element): wire.listMatch.oneOf = element.wire()
        case .any(let tests): wire.orMatch.valueMatchers = tests.map { $0.wire() }
        }
        return wire
    }

    /// - Parameter depth: How many lists and choices stand around this one; a hostile message nests them without end.
    fileprivate init(_ wire: Envoy_Type_Matcher_V3_ValueMatcher, depth: Int = 0, _ reader: WireReader) throws {
        guard depth < 16 else { throw reader.error("value matchers are nested too deeply") }
        switch wire.matchPattern {
        case .presentMatch(let present): self = .present(present)
        case .stringMatch(let matcher): self = .string(try StringMatcher(matcher, reader))
        case .boolMatch(let flag): self = .bool(flag)
        case .nullMatch: self = .null
        case .doubleMatch(let matcher):
            switch matcher.matchPattern {
            case .exact(let number): self = .number(start: number, end: number)
            case .range(let range): self = .number(start: range.start, end: range.end)
            case nil: throw reader.error("double_match without a number")
            }
        case .listMatch(let list):
            guard case .oneOf(let element)? = list.matchPattern else {
                throw reader.error("list_match without one_of")
            }
            self = .list(try Self(element, depth: depth + 1, reader))
        case .orMatch(let choice):
            self = .any(
                try reader.map("or_match.value_matchers", choice.valueMatchers) {
                    try Self($0, depth: depth + 1, reader)
                })
        case nil: throw reader.error("value matcher of a kind that is not supported")
        }
    }
}
