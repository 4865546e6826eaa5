import NIOCore
package import WeftHTTP
package import WeftIR

/// The steps of a header mutation filter, compiled. Immutable.
package struct HeaderMutator: Sendable {
    private enum Step: Sendable {
        case remove(HeaderName)
        case removeMatching(CompiledStringMatcher)
        case set(HeaderName, HeaderMutations.Append, keepsEmpty: Bool)
    }
    private let request: [Step]
    private let response: [Step]
    private let requestTrailers: [Step]
    private let responseTrailers: [Step]
    private let query: [HeaderMutationFilter.QueryStep]
    package let mostSpecificWins: Bool
    /// Whether the response needs a look.
    package var changesResponse: Bool { !response.isEmpty }
    package var changesTrailers: Bool { !requestTrailers.isEmpty || !responseTrailers.isEmpty }

    package init(_ filter: HeaderMutationFilter) {
        request = filter.request.map(Self.compile)
        response = filter.response.map(Self.compile)
        requestTrailers = filter.requestTrailers.map(Self.compile)
        responseTrailers = filter.responseTrailers.map(Self.compile)
        query = filter.query
        mostSpecificWins = filter.mostSpecificWins
    }

    private static func compile(_ step: HeaderMutationFilter.Step) -> Step {
        switch step {
        case .remove(let name): .remove(HeaderName(name))
        case .removeMatching(let matcher): .removeMatching(CompiledStringMatcher(matcher))
        case .set(let entry, let keepsEmpty): .set(HeaderName(entry.name), entry, keepsEmpty: keepsEmpty)
        }
    }

    /// - Parameter expand: Replaces substitution operators in a value.
    package func apply(toRequest head: inout RequestHead, expand: (String, RequestHead) -> String) {
        for step in request {
            if case .set(let name, let entry, _) = step, name == ":authority" || name == .host {
                head.authority = ByteBuffer(string: expand(entry.value, head))
            } else {
                let before = head
                Self.run(step, &head.headers) { expand($0, before) }
            }
        }
        guard !query.isEmpty else { return }
        let current = head
        head.path = ByteBuffer(
            string:
                QueryEditor.apply(query, to: head.pathString) { expand($0, current) })
    }

    package func apply(toResponse headers: inout HeaderBlock, expand: (String) -> String) {
        for step in response { Self.run(step, &headers, expand) }
    }

    package func apply(toRequestTrailers trailers: inout HeaderBlock, expand: (String) -> String) {
        for step in requestTrailers { Self.run(step, &trailers, expand) }
    }

    package func apply(toResponseTrailers trailers: inout HeaderBlock, expand: (String) -> String) {
        for step in responseTrailers { Self.run(step, &trailers, expand) }
    }

    private static func run(_ step: Step, _ headers: inout HeaderBlock, _ expand: (String) -> String) {
        switch step {
        case .remove(let name): headers.remove(name)
        case .removeMatching(let matcher):
            let names = (0..<headers.count).map { String(decoding: headers.name(at: $0), as: UTF8.self).lowercased() }
            for name in Set(names) where matcher.matches(name) { headers.remove(HeaderName(name)) }
        case .set(let name, let entry, let keepsEmpty):
            let value = expand(entry.value)
            guard keepsEmpty || !value.isEmpty, Self.isSafe(value) else { return }
            switch entry.action {
            case .appendIfExistsOrAdd: headers.append(name: entry.name, value: value)
            case .addIfAbsent: if !headers.contains(name) { headers.append(name: entry.name, value: value) }
            case .overwriteIfExistsOrAdd: headers.set(name, value)
            case .overwriteIfExists: if headers.contains(name) { headers.set(name, value) }
            }
        }
    }

    /// What an operator brought must not end the field.
    private static func isSafe(_ value: String) -> Bool { value.utf8.allSatisfy(ASCII.isFieldValue) }
}

/// Changes parameters of a query in place; the order of the others stays.
package enum QueryEditor {
    package static func apply(
        _ steps: [HeaderMutationFilter.QueryStep], to target: String, expand: (String) -> String
    ) -> String {
        let hash = target.firstIndex(of: "#") ?? target.endIndex
        let mark = target[..<hash].firstIndex(of: "?") ?? hash
        var pairs =
            mark == hash ? [] : target[target.index(after: mark)..<hash].split(separator: "&").map(String.init)
        func name(_ pair: String) -> Substring { pair[..<(pair.firstIndex(of: "=") ?? pair.endIndex)] }
        for step in steps {
            switch step {
            case .remove(let unwanted): pairs.removeAll { name($0) == unwanted }
            case .append(let key, let value, let action):
                let pair = "\(encoded(key))=\(encoded(expand(value)))"
                let exists = pairs.contains { name($0) == key }
                switch action {
                case .appendIfExistsOrAdd: pairs.append(pair)
                case .addIfAbsent: if !exists { pairs.append(pair) }
                case .overwriteIfExistsOrAdd, .overwriteIfExists:
                    guard exists || action == .overwriteIfExistsOrAdd else { continue }
                    pairs.removeAll { name($0) == key }
                    pairs.append(pair)
                }
            }
        }
        return target[..<mark] + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")) + target[hash...]
    }

    /// Percent-encodes everything but unreserved characters (RFC 3986 section 2.3).
    package static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: result.append(byte)
            default: result += [37, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
