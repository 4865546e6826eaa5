/// Writes bytes one after the other into memory that is known to be large enough.
///
/// The caller reserves the room: there is no check but the buffer's own in debug builds.
struct WirePointer {
    private let start: UnsafeMutableRawPointer?
    private var end: UnsafeMutableRawPointer?

    init(_ room: UnsafeMutableRawBufferPointer) {
        start = room.baseAddress
        end = start
    }

    /// Bytes written.
    @inline(__always) var count: Int {
        guard let start, let end else { return 0 }
        return end - start
    }

    @inline(__always) mutating func write(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0, let end else { return }
        end.copyMemory(from: source, byteCount: bytes.count)
        self.end = end + bytes.count
    }

    @inline(__always) mutating func write(_ text: StaticString) {
        guard let end else { return }
        end.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        self.end = end + text.utf8CodeUnitCount
    }

    @inline(__always) mutating func write(_ byte: UInt8) {
        end?.storeBytes(of: byte, as: UInt8.self)
        end = end.map { $0 + 1 }
    }

    @inline(__always) mutating func write(_ first: UInt8, _ second: UInt8) {
        write(first)
        write(second)
    }

    mutating func write(decimal number: UInt64) {
        var digits: UInt64 = 1
        while number / digits >= 10 { digits *= 10 }
        var rest = number
        while digits > 0 {
            write(UInt8(truncatingIfNeeded: 48 + rest / digits))
            rest %= digits
            digits /= 10
        }
    }

    mutating func write(hexadecimal number: Int) {
        var shift = 60
        while shift > 0, number >> shift == 0 { shift -= 4 }
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: (number >> shift) & 15)
            write(digit < 10 ? 48 + digit : 87 + digit)
            shift -= 4
        }
    }
}
