package import WeftIR

/// An IP address as 16 bytes; IPv4 is mapped into IPv6.
package struct IPAddress: Sendable, Hashable {
    package let bytes: [UInt8]
    package let isIPv4: Bool

    /// - Returns: `nil` for text that is no IP address.
    package init?(_ text: String) {
        if let v4 = IPAddress.ipv4(text[...]) {
            bytes = Array(repeating: 0, count: 10) + [255, 255] + v4
            isIPv4 = true
            return
        }
        guard let v6 = IPAddress.ipv6(text) else { return nil }
        isIPv4 = v6.prefix(12).elementsEqual(Array(repeating: 0, count: 10) + [255, 255])
        bytes = v6
    }

    private static func ipv4(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part in part.utf8.allSatisfy { $0 >= 48 && $0 <= 57 } ? UInt8(part) : nil }
        return parts.count == 4 && bytes.count == 4 ? bytes : nil
    }

    private static func ipv6(_ text: String) -> [UInt8]? {
        let address = text.prefix { $0 != "%" }
        var halves: [[UInt8]] = [[]]
        let parts = address.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 3 else { return nil }
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                if index == 0 || index == parts.count - 1 { continue }
                guard halves.count == 1 else { return nil }
                halves.append([])
            } else if index == parts.count - 1, let tail = ipv4(part) {
                halves[halves.count - 1] += tail
            } else {
                guard part.utf8.count <= 4, part.first != "+", let value = UInt16(part, radix: 16) else { return nil }
                halves[halves.count - 1] += [UInt8(value >> 8), UInt8(value & 255)]
            }
        }
        if address == "::" { return Array(repeating: 0, count: 16) }
        let known = halves.reduce(0) { $0 + $1.count }
        guard halves.count == 2 || address.hasPrefix("::") || address.hasSuffix("::") else {
            return known == 16 ? halves[0] : nil
        }
        guard known <= 14 else { return nil }
        let zeros = [UInt8](repeating: 0, count: 16 - known)
        if halves.count == 2 { return halves[0] + zeros + halves[1] }
        return address.hasPrefix("::") ? zeros + halves[0] : halves[0] + zeros
    }
}

/// A compiled CIDR. One that does not parse holds nothing.
package struct IPPrefix: Sendable, Hashable {
    private let address: IPAddress?
    /// Bits of the 16-byte form that count.
    package let bits: Int

    package init(_ cidr: CIDR) {
        let parsed = IPAddress(cidr.address)
        let all = Int(cidr.prefixLength) + (parsed?.isIPv4 == true ? 96 : 0)
        // A mapped address written as IPv6 counts its 96 leading bits itself.
        let isMapped = parsed?.isIPv4 == true && cidr.address.contains(":")
        let bits = isMapped ? Int(cidr.prefixLength) : all
        address = bits <= 128 ? parsed : nil
        self.bits = min(128, bits)
    }

    /// Whether the text was no CIDR: such a range must not decide anything, negated or not.
    var isBroken: Bool { address == nil }

    package func contains(_ other: IPAddress) -> Bool {
        guard let address, address.isIPv4 == other.isIPv4 else { return false }
        let whole = bits / 8
        guard address.bytes.prefix(whole).elementsEqual(other.bytes.prefix(whole)) else { return false }
        guard bits % 8 != 0 else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> (bits % 8))
        return address.bytes[whole] & mask == other.bytes[whole] & mask
    }
}
