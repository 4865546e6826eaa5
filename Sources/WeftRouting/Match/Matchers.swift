import NIOCore
import WeftCore
package import WeftHTTP
package import WeftIR

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension UnsafeRawBufferPointer {
    /// Whether it begins with `text`.
    func starts(withBytes text: [UInt8]) -> Bool {
        guard count >= text.count, !text.isEmpty, let base = baseAddress else { return text.isEmpty }
        return text.withUnsafeBytes { other in other.baseAddress.map { memcmp(base, $0, other.count) == 0 } ?? true }
    }
}

/// A string matcher ready to run on bytes. A pattern that does not compile matches nothing.
package struct CompiledStringMatcher: Sendable {
    private enum Test: Sendable {
        case exact([UInt8])
        case prefix([UInt8])
        case suffix([UInt8])
        case contains([UInt8])
        case regex(Regex)
        case never
    }
    private let test: Test
    private let ignoreCase: Bool

    package init(_ matcher: StringMatcher) {
        let fold = matcher.ignoreCase
        func bytes(_ text: String) -> [UInt8] { fold ? text.utf8.map(ASCII.lowercased) : Array(text.utf8) }
        if case .regex = matcher.pattern { ignoreCase = false } else { ignoreCase = fold }
        switch matcher.pattern {
        case .exact(let text): test = .exact(bytes(text))
        case .prefix(let text): test = .prefix(bytes(text))
        case .suffix(let text): test = .suffix(bytes(text))
        case .contains(let text): test = .contains(bytes(text))
        // `ignore_case` has no say about patterns: they have `(?i)`.
        case .regex(let text): test = (try? Regex(text)).map(Test.regex) ?? .never
        }
    }

    /// Whether the pattern does not compile: such a matcher must not decide anything, negated or not.
    var isBroken: Bool { if case .never = test { true } else { false } }

    package func matches(_ text: String) -> Bool { matches(text.utf8) }

    package func matches(_ input: some BidirectionalCollection<UInt8>) -> Bool {
        if !ignoreCase, let quick = input.withContiguousStorageIfAvailable(compare), let answer = quick {
            return answer
        }
        guard ignoreCase else { return run(input) }
        return run(input.map(ASCII.lowercased))
    }

    /// The tests that are comparisons of bytes; `nil` for the others.
    private func compare(_ input: UnsafeBufferPointer<UInt8>) -> Bool? {
        let input = UnsafeRawBufferPointer(input)
        return switch test {
        case .exact(let text): input.count == text.count && input.starts(withBytes: text)
        case .prefix(let text): input.starts(withBytes: text)
        case .suffix(let text):
            input.count >= text.count
                && UnsafeRawBufferPointer(rebasing: input[(input.count - text.count)...]).starts(withBytes: text)
        case .contains, .regex, .never: nil
        }
    }

    private func run(_ input: some BidirectionalCollection<UInt8>) -> Bool {
        switch test {
        case .exact(let text): input.elementsEqual(text)
        case .prefix(let text): input.starts(with: text)
        case .suffix(let text): input.count >= text.count && input.suffix(text.count).elementsEqual(text)
        case .contains(let text): CompiledStringMatcher.contains(Array(input), text)
        case .regex(let regex): regex.matches(input)
        case .never: false
        }
    }

    private static func contains(_ input: [UInt8], _ text: [UInt8]) -> Bool {
        guard input.count >= text.count else { return false }
        return (0...(input.count - text.count)).contains { input[$0..<($0 + text.count)].elementsEqual(text) }
    }
}

/// A header matcher ready to run on a request or response.
package struct CompiledHeaderMatcher: Sendable {
    private enum Test: Sendable {
        case string(CompiledStringMatcher)
        case present(Bool)
        case range(Int64, Int64)
    }
    private enum Source: Sendable { case path, authority, method, scheme, status, field }
    private let name: HeaderName
    private let source: Source
    private let test: Test
    private let invert: Bool
    private let treatMissingAsEmpty: Bool

    package init(_ matcher: HeaderMatcher) {
        name = HeaderName(matcher.name)
        source =
            switch name.description {
            case ":path": .path
            case ":authority", "host": .authority
            case ":method": .method
            case ":scheme": .scheme
            case ":status": .status
            default: .field
            }
        invert = matcher.invert
        treatMissingAsEmpty = matcher.treatMissingAsEmpty
        switch matcher.test {
        case .string(let string): test = .string(CompiledStringMatcher(string))
        case .present(let wanted): test = .present(wanted)
        case .range(let start, let end): test = .range(start, end)
        }
    }

    /// Whether its pattern does not compile: such a matcher must not decide anything, inverted or not.
    var isBroken: Bool { if case .string(let matcher) = test { matcher.isBroken } else { false } }

    package func matches(_ head: RequestHead) -> Bool {
        switch source {
        case .path: decide(head.path.readableBytesView)
        case .authority: decide(head.authority.readableBytesView)
        case .method: decide(ByteBuffer(string: head.method.description).readableBytesView)
        case .scheme: decide(ByteBuffer(string: head.scheme.rawValue).readableBytesView)
        case .status, .field: matches(head.headers)
        }
    }

    package func matches(_ head: ResponseHead) -> Bool {
        guard source == .status else { return matches(head.headers) }
        return decide(ByteBuffer(string: String(head.status)).readableBytesView)
    }

    /// Each value of a header that comes several times is looked at by itself, as Envoy does: joined, a second value
    /// would hide the first from an exact match.
    package func matches(_ headers: HeaderBlock) -> Bool {
        let values = headers.values(name)
        guard values.count > 1, !isPresence else { return decide(values.first) }
        let isAny = values.contains { decide($0) != invert }
        return isAny != invert
    }

    private var isPresence: Bool { if case .present = test { true } else { false } }

    private func decide(_ value: ByteBufferView?) -> Bool {
        // A missing header that counts as an empty one is present.
        if case .present(let wanted) = test { return ((value != nil || treatMissingAsEmpty) == wanted) != invert }
        // A missing header is no match, inverted or not (Envoy's `invert_match`).
        guard let value = value ?? (treatMissingAsEmpty ? ByteBufferView() : nil) else { return false }
        return switch test {
        case .string(let matcher): matcher.matches(value) != invert
        case .range(let start, let end):
            (Int64(String(decoding: value, as: UTF8.self)).map { $0 >= start && $0 < end } ?? false) != invert
        case .present: false
        }
    }
}
