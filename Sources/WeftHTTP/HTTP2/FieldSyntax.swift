/// Which bytes may stand in field names and values of HTTP/2 (RFC 9113, 8.2.1).
enum FieldSyntax {
    /// The fingerprint of a name and whether it is a token in lower case, or a pseudo header's name.
    static func checkName(_ name: UnsafeBufferPointer<UInt8>) -> (fingerprint: UInt32, isValid: Bool) {
        guard let base = name.baseAddress, !name.isEmpty else { return (ASCII.fingerprint(name), false) }
        var isValid = true
        for position in 0..<name.count {
            let byte = name[position]
            let isUpper = byte >= 65 && byte <= 90
            let startsPseudo = position == 0 && byte == 58 && name.count > 1
            if isUpper || !(ASCII.isToken(byte) || startsPseudo) { isValid = false }
        }
        return (ASCII.fingerprint(UnsafeRawPointer(base), name.count), isValid)
    }

    /// No control byte but the tab, and no space or tab at either end.
    static func isValue(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = value.first, let last = value.last else { return true }
        if first == 32 || first == 9 || last == 32 || last == 9 { return false }
        var bad = false
        for byte in value { bad = bad || (byte < 32 && byte != 9) || byte == 127 }
        return !bad
    }
}
