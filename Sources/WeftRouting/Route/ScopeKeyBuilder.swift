import NIOCore
package import WeftHTTP
package import WeftIR

/// Makes the key by which a request finds its route table (`ScopedRoutes.ScopeKeyBuilder`). Pure.
package struct ScopeKeyBuilder: Sendable {
    /// One entry for each fragment, byte by byte.
    package typealias Key = [[UInt8]]

    private struct Part {
        enum Source {
            case field(HeaderName)
            case authority, path, method, scheme
        }
        enum Piece {
            case index(Int)
            case element(separator: [UInt8], key: [UInt8])
        }
        let source: Source
        let separator: [UInt8]
        let piece: Piece
    }
    private let parts: [Part]

    package init(_ parts: [ScopedRoutes.KeyPart]) {
        self.parts = parts.map { part in
            let source: Part.Source =
                switch part.header.lowercased() {
                case ":authority", "host": .authority
                case ":path": .path
                case ":method": .method
                case ":scheme": .scheme
                case let name: .field(HeaderName(name))
                }
            let piece: Part.Piece =
                switch part.piece {
                case .index(let index): .index(Int(index))
                case .element(let separator, let key): .element(separator: Array(separator.utf8), key: Array(key.utf8))
                }
            return Part(source: source, separator: Array(part.elementSeparator.utf8), piece: piece)
        }
    }

    /// The key that a scope is found by.
    package static func key(of scope: RouteScope) -> Key { scope.key.map { Array($0.utf8) } }

    /// - Returns: `nil` when a part is not in the request: it has no scope then.
    package func key(of head: RequestHead) -> Key? {
        var key: Key = []
        key.reserveCapacity(parts.count)
        for part in parts {
            guard let value = Self.value(part.source, head), let fragment = Self.fragment(part, value) else {
                return nil
            }
            key.append(fragment)
        }
        return key
    }

    /// Of a repeated field the first value alone counts, as in Envoy.
    private static func value(_ source: Part.Source, _ head: RequestHead) -> [UInt8]? {
        switch source {
        case .field(let name): head.headers[name].map(Array.init)
        case .authority: Array(head.authority.readableBytesView)
        case .path: Array(head.path.readableBytesView)
        case .method: Array(head.method.description.utf8)
        case .scheme: Array(head.scheme.rawValue.utf8)
        }
    }

    private static func fragment(_ part: Part, _ value: [UInt8]) -> [UInt8]? {
        let elements = part.separator.isEmpty ? [value[...]] : value.split(by: part.separator)
        switch part.piece {
        case .index(let index): return index < elements.count ? Array(elements[index]) : nil
        case .element(let separator, let key):
            for element in elements {
                let (name, rest) = element.cut(at: separator)
                if name.elementsEqual(key) { return Array(rest) }
            }
            return nil
        }
    }
}

extension [UInt8] {
    /// Empty pieces stay.
    fileprivate func split(by separator: [UInt8]) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var rest = self[...]
        while let place = rest.firstPlace(of: separator) {
            pieces.append(rest[..<place])
            rest = rest[(place + separator.count)...]
        }
        return pieces + [rest]
    }
}

extension ArraySlice<UInt8> {
    fileprivate func firstPlace(of other: [UInt8]) -> Int? {
        guard !other.isEmpty, count >= other.count else { return nil }
        return (startIndex...(endIndex - other.count)).first { self[$0...].starts(with: other) }
    }

    /// At the first `separator`; without one, nothing follows. An empty separator cuts after the first byte, as
    /// Envoy's does.
    fileprivate func cut(at separator: [UInt8]) -> (ArraySlice<UInt8>, ArraySlice<UInt8>) {
        if separator.isEmpty { return (prefix(1), dropFirst(1)) }
        guard let place = firstPlace(of: separator) else { return (self, []) }
        return (self[..<place], self[(place + separator.count)...])
    }
}
