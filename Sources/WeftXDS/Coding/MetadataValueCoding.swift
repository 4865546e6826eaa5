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
        }
        return wire
    }

    /// - Returns: `nil` for objects and null, which nothing can be compared with.
    init?(_ wire: Google_Protobuf_Value) {
        switch wire.kind {
        case .stringValue(let text): self = .string(text)
        case .numberValue(let number): self = .number(number)
        case .boolValue(let flag): self = .bool(flag)
        case .listValue(let list): self = .list(list.values.compactMap(MetadataValue.init))
        case .structValue, .nullValue, nil: return nil
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
        switch test {
        case .present(let present): wire.value.presentMatch = present
        case .string(let matcher): wire.value.stringMatch = matcher.wire()
        case .number(let start, let end):
            if start == end {
                wire.value.doubleMatch.exact = start
            } else {
                wire.value.doubleMatch.range.start = start
                wire.value.doubleMatch.range.end = end
            }
        case .bool(let flag): wire.value.boolMatch = flag
        case .null: wire.value.nullMatch = .init()
        }
        return wire
    }

    init(_ wire: Envoy_Type_Matcher_V3_MetadataMatcher, _ reader: WireReader) throws {
        let test: Test =
            switch wire.value.matchPattern {
            case .presentMatch(let present): .present(present)
            case .stringMatch(let matcher): .string(try StringMatcher(matcher, reader))
            case .boolMatch(let flag): .bool(flag)
            case .nullMatch: .null
            case .doubleMatch(let matcher):
                switch matcher.matchPattern {
                case .exact(let number): .number(start: number, end: number)
                case .range(let range): .number(start: range.start, end: range.end)
                case nil: throw reader.error("double_match without a number")
                }
            case .listMatch, .orMatch, nil: throw reader.error("value matcher of a kind that is not supported")
            }
        self.init(filter: wire.filter, path: wire.path.map(\.key), test: test, invert: wire.invert)
    }
}
