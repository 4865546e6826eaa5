/// Writes JSON text piece by piece; results of queries are too large to build as values first.
struct JSONText {
    private(set) var bytes: [UInt8] = []
    /// Whether the next element of the present list or object needs a comma.
    private var needsComma = false

    mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    mutating func list(_ body: (inout JSONText) throws -> Void) rethrows {
        separate()
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        try body(&self)
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    mutating func object(_ body: (inout JSONText) throws -> Void) rethrows {
        separate()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        try body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    mutating func key(_ name: String) {
        separate()
        quoted(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func string(_ text: String) {
        separate()
        quoted(text)
    }

    mutating func integer(_ value: Int64) {
        separate()
        guard (0..<1_000_000).contains(value) else { return bytes.append(contentsOf: String(value).utf8) }
        // Places in a table: hundreds of thousands of them in an answer, none of them worth a string.
        var scale: Int64 = 1
        while value / scale > 9 { scale *= 10 }
        while scale > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(value / scale % 10))
            scale /= 10
        }
    }

    mutating func bool(_ value: Bool) { element(value ? "true" : "false") }

    /// A word of JSON.
    mutating func element(_ word: StaticString) {
        separate()
        raw(word)
    }

    /// Not for NaN or infinities, which JSON cannot say.
    mutating func number(_ value: Double) {
        separate()
        bytes.append(contentsOf: PromQLText.number(value.isFinite ? value : 0).utf8)
    }

    /// Milliseconds since 1970 as seconds.
    mutating func time(_ milliseconds: Int64) {
        separate()
        let magnitude = milliseconds.magnitude
        if milliseconds < 0 { bytes.append(UInt8(ascii: "-")) }
        bytes.append(contentsOf: String(magnitude / 1000).utf8)
        let rest = Int(magnitude % 1000)
        guard rest > 0 else { return }
        bytes.append(UInt8(ascii: "."))
        let digits = [rest / 100, rest / 10 % 10, rest % 10]
        for index in digits.indices where digits[index...].contains(where: { $0 > 0 }) {
            bytes.append(UInt8(48 + digits[index]))
        }
    }

    mutating func strings(_ values: [(String, String)]) {
        for (name, value) in values {
            self.key(name)
            string(value)
        }
    }

    private mutating func quoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): raw(#"\""#)
            case UInt8(ascii: "\\"): raw(#"\\"#)
            case 10: raw(#"\n"#)
            case 13: raw(#"\r"#)
            case 9: raw(#"\t"#)
            // A document that lands in a page must not end the script around it.
            case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), 0..<32: escaped(byte)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escaped(_ byte: UInt8) {
        let digits = Array("0123456789abcdef".utf8)
        raw(#"\u00"#)
        bytes.append(digits[Int(byte >> 4)])
        bytes.append(digits[Int(byte & 15)])
    }
}
