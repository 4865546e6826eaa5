/// A format string, read: literal text and Envoy's command operators in turn. Immutable.
///
/// Syntax (Envoy's access log documentation, "Format Rules"): `%OPERATOR%`, `%OPERATOR(ARGUMENTS)%`, each with an
/// optional `:LENGTH` before the last percent sign; `%%` is a percent sign.
package struct FormatTemplate: Sendable, Hashable {
    package enum Piece: Sendable, Hashable {
        case text(String)
        /// - Parameter limit: The most characters of the value.
        case value(FormatOperator, limit: Int?)
    }
    package let pieces: [Piece]

    /// - Throws: ``FormatError`` for an operator that does not exist or is written wrong.
    package init(_ text: String) throws(FormatError) {
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        let bytes = Array(text.utf8)
        var position = 0
        while position < bytes.count {
            guard bytes[position] == Self.percent else {
                literal.append(bytes[position])
                position += 1
                continue
            }
            if position + 1 < bytes.count, bytes[position + 1] == Self.percent {
                literal.append(Self.percent)
                position += 2
                continue
            }
            if !literal.isEmpty { pieces.append(.text(String(decoding: literal, as: UTF8.self))) }
            literal = []
            pieces.append(try Self.operation(bytes, &position, text))
        }
        if !literal.isEmpty { pieces.append(.text(String(decoding: literal, as: UTF8.self))) }
        self.pieces = pieces
    }

    /// The only operator of a format that is nothing else: its value keeps its type in JSON.
    package var single: (operation: FormatOperator, limit: Int?)? {
        if pieces.count == 1, case .value(let operation, let limit) = pieces[0] { (operation, limit) } else { nil }
    }

    /// All operators, in order.
    package var operators: [FormatOperator] {
        pieces.compactMap { if case .value(let operation, _) = $0 { operation } else { nil } }
    }

    private static let percent = UInt8(ascii: "%")

    /// Reads one operator from its percent sign to the one that ends it.
    private static func operation(
        _ bytes: [UInt8], _ position: inout Int, _ text: String
    ) throws(FormatError) -> Piece {
        var place = position + 1
        let start = place
        while place < bytes.count, isNameByte(bytes[place]) { place += 1 }
        let name = String(decoding: bytes[start..<place], as: UTF8.self)
        var arguments: String?
        var end: (limit: Int?, after: Int)?
        if place < bytes.count, bytes[place] == UInt8(ascii: "(") {
            // The first parenthesis behind which the operator can end.
            var close = place + 1
            while close < bytes.count {
                if bytes[close] == UInt8(ascii: ")"), let found = Self.end(bytes, close + 1) {
                    end = found
                    break
                }
                close += 1
            }
            if end != nil { arguments = String(decoding: bytes[(place + 1)..<close], as: UTF8.self) }
        } else {
            end = Self.end(bytes, place)
        }
        guard !name.isEmpty, let end else {
            throw FormatError("\"\(text)\": an operator that starts at byte \(position) does not end with %")
        }
        position = end.after
        return .value(try FormatOperator(name, arguments), limit: end.limit)
    }

    /// `%` or `:LENGTH%`.
    private static func end(_ bytes: [UInt8], _ start: Int) -> (limit: Int?, after: Int)? {
        guard start < bytes.count else { return nil }
        if bytes[start] == percent { return (nil, start + 1) }
        guard bytes[start] == UInt8(ascii: ":") else { return nil }
        var place = start + 1
        while place < bytes.count, (48...57).contains(bytes[place]) { place += 1 }
        guard place < bytes.count, bytes[place] == percent, place > start + 1 else { return nil }
        return (Int(String(decoding: bytes[(start + 1)..<place], as: UTF8.self)), place + 1)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (65...90).contains(byte) || (48...57).contains(byte) || byte == UInt8(ascii: "_")
    }
}

/// What is wrong with a format string, in words.
package struct FormatError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
