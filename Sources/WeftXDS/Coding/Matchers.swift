import SwiftProtobuf
import WeftIR
import WeftProto

extension StringMatcher {
    func wire() -> WireString {
        var wire = WireString()
        wire.ignoreCase = ignoreCase
        switch pattern {
        case .exact(let text): wire.exact = text
        case .prefix(let text): wire.prefix = text
        case .suffix(let text): wire.suffix = text
        case .contains(let text): wire.contains = text
        case .regex(let text): wire.safeRegex.regex = text
        }
        return wire
    }

    init(_ wire: WireString, _ reader: WireReader) throws {
        let pattern: Pattern =
            switch wire.matchPattern {
            case .exact(let text): .exact(text)
            case .prefix(let text): .prefix(text)
            case .suffix(let text): .suffix(text)
            case .contains(let text): .contains(text)
            case .safeRegex(let regex): .regex(regex.regex)
            case nil: throw reader.error("string matcher without a pattern that is supported")
            }
        self.init(pattern, ignoreCase: wire.ignoreCase)
    }
}

extension HeaderMatcher {
    func wire() -> WireRoute.Header {
        var wire = WireRoute.Header()
        wire.name = name
        wire.invertMatch = invert
        wire.treatMissingHeaderAsEmpty = treatMissingAsEmpty
        switch test {
        case .string(let matcher): wire.stringMatch = matcher.wire()
        case .present(let present): wire.presentMatch = present
        case .range(let start, let end):
            wire.rangeMatch.start = start
            wire.rangeMatch.end = end
        }
        return wire
    }

    init(_ wire: WireRoute.Header, _ reader: WireReader) throws {
        let test: Test =
            switch wire.headerMatchSpecifier {
            case .exactMatch(let text): .string(StringMatcher(.exact(text)))
            case .prefixMatch(let text): .string(StringMatcher(.prefix(text)))
            case .suffixMatch(let text): .string(StringMatcher(.suffix(text)))
            case .containsMatch(let text): .string(StringMatcher(.contains(text)))
            case .safeRegexMatch(let regex): .string(StringMatcher(.regex(regex.regex)))
            case .stringMatch(let matcher): .string(try StringMatcher(matcher, reader))
            case .presentMatch(let present): .present(present)
            case .rangeMatch(let range): .range(start: range.start, end: range.end)
            // Only a name: the header must be there.
            case nil: .present(true)
            }
        self.init(
            name: wire.name.lowercased(), test: test, invert: wire.invertMatch,
            treatMissingAsEmpty: wire.treatMissingHeaderAsEmpty)
    }
}

extension QueryParameterMatcher {
    func wire() -> Envoy_Config_Route_V3_QueryParameterMatcher {
        var wire = Envoy_Config_Route_V3_QueryParameterMatcher()
        wire.name = name
        switch test {
        case .string(let matcher): wire.stringMatch = matcher.wire()
        case .present(let present): wire.presentMatch = present
        }
        return wire
    }

    init(_ wire: Envoy_Config_Route_V3_QueryParameterMatcher, _ reader: WireReader) throws {
        switch wire.queryParameterMatchSpecifier {
        case .stringMatch(let matcher): self.init(name: wire.name, test: .string(try StringMatcher(matcher, reader)))
        case .presentMatch(let present): self.init(name: wire.name, test: .present(present))
        case nil: self.init(name: wire.name, test: .present(true))
        }
    }
}
