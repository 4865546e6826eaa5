/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes at a time by tables.
package enum Checksum {
    private static let tables: [[UInt32]] = {
        var tables = Array(repeating: Array(repeating: UInt32(0), count: 256), count: 8)
        for index in 0..<256 {
            var value = UInt32(index)
            for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0x82f6_3b78 : value >> 1 }
            tables[0][index] = value
        }
        for index in 0..<256 {
            for table in 1..<8 {
                let before = tables[table - 1][index]
                tables[table][index] = (before >> 8) ^ tables[0][Int(before & 255)]
            }
        }
        return tables
    }()
    private static let flat: [UInt32] = tables.flatMap { $0 }

    package static func crc32c(_ bytes: some Collection<UInt8>) -> UInt32 {
        if let result = bytes.withContiguousStorageIfAvailable(crc32c(_:)) { return result }
        return Array(bytes).withUnsafeBufferPointer(crc32c(_:))
    }

    private static func crc32c(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        flat.withUnsafeBufferPointer { table in
            var crc = ~UInt32(0)
            var index = 0
            while index + 8 <= bytes.count {
                let word = UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    .littleEndian
                let mixed = word ^ UInt64(crc)
                crc = 0
                for byte in 0..<8 { crc ^= table[(7 - byte) * 256 + Int(mixed >> UInt64(8 * byte) & 255)] }
                index += 8
            }
            while index < bytes.count {
                crc = (crc >> 8) ^ table[Int((crc ^ UInt32(bytes[index])) & 255)]
                index += 1
            }
            return ~crc
        }
    }
}
