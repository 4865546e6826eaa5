import Testing

@testable import WeftHTTP

/// Numbers as hexadecimal digits and back, eight digits in one step.
@Suite struct HexDigitsTests {
    private func number(_ text: [UInt8]) -> UInt64? { text.withUnsafeBytes { HexDigits.number($0[...]) } }

    @Test(arguments: [0, 1, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, .max, 0x8000_0000_0000_0000] as [UInt64])
    func digitsComeBackAsTheNumber(_ value: UInt64) {
        let text = [UInt8](unsafeUninitializedCapacity: 16) { room, count in
            HexDigits.write(value, to: UnsafeMutableRawBufferPointer(room), at: 0)
            count = 16
        }
        #expect(
            String(decoding: text, as: UTF8.self) == String(repeating: "0", count: value.leadingZeroBitCount / 4)
                .prefix(15) + String(value, radix: 16))
        #expect(number(text) == value)
        #expect(number(Array(String(decoding: text, as: UTF8.self).uppercased().utf8)) == value)
        for length in 1...15 {
            #expect(number(Array(text.suffix(length))) == value & (1 << UInt64(length * 4) - 1), "\(length) digits")
        }
    }

    /// Every byte at every place: only digits are taken.
    @Test(arguments: [1, 8, 16]) func whatIsNoDigitIsNoNumber(_ length: Int) {
        for place in 0..<length {
            for byte in UInt8.min...UInt8.max {
                var text = [UInt8](repeating: UInt8(ascii: "0"), count: length)
                text[place] = byte
                let digit = ASCII.hexValue(byte).map { UInt64($0) << UInt64(4 * (length - 1 - place)) }
                #expect(number(text) == digit)
            }
        }
        #expect(number([]) == nil && number([UInt8](repeating: 48, count: 17)) == nil)
    }
}
