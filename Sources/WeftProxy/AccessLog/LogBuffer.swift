#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The lines of one log file that wait to be written, as bytes in memory of their own.
///
/// Loop-confined. Grows as needed and keeps its memory; appending costs a look at the room and a copy.
final class LogBuffer {
    let path: String
    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    /// - Parameter path: The file's, by which the writer finds the buffer.
    init(path: String, capacity: Int = 1024) {
        self.path = path
        self.capacity = max(64, capacity)
        memory = .allocate(byteCount: self.capacity, alignment: 8)
    }

    deinit { memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

    func removeAll() { count = 0 }

    func removeFirst(_ written: Int) {
        let rest = count - written
        if rest > 0, written > 0 { memory.copyMemory(from: memory + written, byteCount: rest) }
        count = max(0, rest)
    }

    private func grow(for more: Int) {
        let wanted = max(capacity * 2, count + more)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 8)
        larger.copyMemory(from: memory, byteCount: count)
        memory.deallocate()
        memory = larger
        capacity = wanted
    }

    @inline(__always) func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        if capacity &- count < bytes.count { grow(for: bytes.count) }
        (memory + count).copyMemory(from: source, byteCount: bytes.count)
        count &+= bytes.count
    }

    /// The first `length` bytes of `word` as they lie in memory, in one store.
    /// - Parameter length: At most eight.
    @inline(__always) func append(word: UInt64, length: Int) {
        if capacity &- count < 8 { grow(for: 8) }
        memory.storeBytes(of: word, toByteOffset: count, as: UInt64.self)
        count &+= length
    }

    @inline(__always) func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(never) func append(_ text: String) {
        let isWritten: Void? = text.utf8.withContiguousStorageIfAvailable { append(UnsafeRawBufferPointer($0)) }
        guard isWritten == nil else { return }
        Array(text.utf8).withUnsafeBytes { append($0) }
    }

    @inline(__always) func append(byte: UInt8) {
        if capacity == count { grow(for: 1) }
        memory.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    /// - Parameter digits: Zeros stand before a number that has fewer.
    @inline(__always) func append(decimal number: Int, digits: Int = 1) {
        if digits == 1, number >= 0, number < 10 { return append(byte: UInt8(truncatingIfNeeded: 48 + number)) }
        append(longDecimal: number, digits)
    }

    private func append(longDecimal number: Int, _ digits: Int) {
        if number < 0 { append(byte: UInt8(ascii: "-")) }
        var rest = number.magnitude
        var length = 1
        var bound: UInt = 10
        // The largest number has twenty digits.
        while length < 20, rest >= bound {
            length += 1
            bound = length < 20 ? bound * 10 : bound
        }
        length = max(length, digits)
        if capacity - count < length { grow(for: length) }
        for place in stride(from: count + length - 1, through: count, by: -1) {
            memory.storeBytes(of: UInt8(truncatingIfNeeded: 48 + rest % 10), toByteOffset: place, as: UInt8.self)
            rest /= 10
        }
        count += length
    }
}
