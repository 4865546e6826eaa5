/// Hexadecimal digits of numbers, several in one step; lower case.
package enum HexDigits {
    /// The eight digits of a number as bytes, the first one in the lowest byte.
    @inlinable @inline(__always) package static func eight(_ value: UInt32) -> UInt64 {
        // One digit to a byte, the highest one first.
        var spread = UInt64(value.byteSwapped)
        spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff
        spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff
        spread = (spread >> 4 | spread << 8) & 0x0f0f_0f0f_0f0f_0f0f
        // 39 more where a digit is above nine: from "0"... to "a"...
        let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return (spread &+ 0x3030_3030_3030_3030 &+ letters &* 39).littleEndian
    }

    /// Writes the sixteen digits of a number.
    /// - Parameter text: Has sixteen bytes from `place` on.
    @inlinable @inline(__always) package static func write(
        _ value: UInt64, to text: UnsafeMutableRawBufferPointer, at place: Int
    ) {
        text.storeBytes(of: eight(UInt32(truncatingIfNeeded: value >> 32)), toByteOffset: place, as: UInt64.self)
        text.storeBytes(of: eight(UInt32(truncatingIfNeeded: value)), toByteOffset: place + 8, as: UInt64.self)
    }

    /// The number of one to sixteen digits in lower or upper case; `nil` for anything else.
    package static func number(_ text: Slice<UnsafeRawBufferPointer>) -> UInt64? {
        let text = UnsafeRawBufferPointer(rebasing: text)
        switch text.count {
        case 8: return eight(text.loadUnaligned(as: UInt64.self)).map { UInt64($0) }
        case 16: return text.baseAddress.flatMap { sixteen($0) }
        case 1...15:
            var number: UInt64 = 0
            for byte in text {
                guard let digit = ASCII.hexValue(byte) else { return nil }
                number = number << 4 | UInt64(digit)
            }
            return number
        default: return nil
        }
    }

    /// The number of sixteen digits that lie at `text`; `nil` when one is none.
    @inlinable @inline(__always) package static func sixteen(_ text: UnsafeRawPointer) -> UInt64? {
        guard let high = eight(text.loadUnaligned(as: UInt64.self)),
            let low = eight(text.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        else { return nil }
        return UInt64(high) << 32 | UInt64(low)
    }

    /// The number of two digits that lie at `text`; `nil` when one is none.
    @inlinable @inline(__always) package static func two(_ text: UnsafeRawPointer) -> UInt8? {
        guard let high = ASCII.hexValue(text.load(as: UInt8.self)),
            let low = ASCII.hexValue(text.load(fromByteOffset: 1, as: UInt8.self))
        else { return nil }
        return high << 4 | low
    }

    /// The number of eight digits, as they lie in memory.
    @inlinable @inline(__always) static func eight(_ text: UInt64) -> UInt32? {
        let text = text.littleEndian
        // Letters have the bit that digits lack, and are nine below their value.
        let letters = text >> 6 & 0x0101_0101_0101_0101
        var packed = text & 0x0f0f_0f0f_0f0f_0f0f &+ letters &* 9
        packed = (packed << 4 | packed >> 8) & 0x00ff_00ff_00ff_00ff
        packed = (packed | packed >> 8) & 0x0000_ffff_0000_ffff
        let number = UInt32(truncatingIfNeeded: packed | packed >> 16).byteSwapped
        // What is no digit does not come back as it was.
        return eight(number) == (text | letters << 5).littleEndian ? number : nil
    }
}
