extension JSONValue {
    /// The document as UTF-8 bytes, keys sorted; `pretty` indents by four spaces as `kubectl -o json` does.
    package func serialized(pretty: Bool = false) -> [UInt8] {
        var writer = JSONWriter(pretty: pretty)
        writer.write(self, depth: 0)
        return writer.bytes
    }

    /// The document as text; see ``serialized(pretty:)``.
    package func text(pretty: Bool = false) -> String {
        String(decoding: serialized(pretty: pretty), as: UTF8.self)
    }
}

extension JSONValue: CustomStringConvertible {
    package var description: String { text() }
}

private struct JSONWriter {
    let pretty: Bool
    var bytes: [UInt8] = []

    init(pretty: Bool) { self.pretty = pretty }

    mutating func write(_ value: JSONValue, depth: Int) {
        switch value {
        case .null: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .int(let value): append(String(value))
        case .double(let value): write(number: value)
        case .string(let value): write(string: value)
        case .array(let elements):
            write(open: "[", close: "]", count: elements.count, depth: depth) { writer, index in
                writer.write(elements[index], depth: depth + 1)
            }
        case .object(let members):
            let keys = members.keys.sorted()
            write(open: "{", close: "}", count: keys.count, depth: depth) { writer, index in
                writer.write(string: keys[index])
                writer.append(writer.pretty ? ": " : ":")
                writer.write(members[keys[index]] ?? .null, depth: depth + 1)
            }
        }
    }

    private mutating func write(
        open: String, close: String, count: Int, depth: Int, element: (inout JSONWriter, Int) -> Void
    ) {
        append(open)
        for index in 0..<count {
            if index > 0 { append(",") }
            if pretty { newline(depth + 1) }
            element(&self, index)
        }
        if pretty, count > 0 { newline(depth) }
        append(close)
    }

    private mutating func write(number: Double) {
        // A whole number is written without a fraction, as Go does; JSON has no NaN and no infinity.
        if let whole = Int64(exactly: number), abs(number) < 1e15 {
            append(String(whole))
        } else {
            append(number.isFinite ? String(number) : "null")
        }
    }

    private mutating func write(string: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case 0x0A: append("\\n")
            case 0x0D: append("\\r")
            case 0x09: append("\\t")
            case 0..<0x20:
                let hex = String(byte, radix: 16)
                append("\\u" + String(repeating: "0", count: 4 - hex.count) + hex)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func newline(_ depth: Int) {
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: depth * 4))
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
