/// Snappy's block format (google/snappy, `format_description.txt`), as remote write has it.
package enum Snappy {
    /// Compresses with copies of up to 64 bytes within the last 64 KiB.
    package static func compress(_ input: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.varint(UInt64(input.count))
        var table = [Int](repeating: -1, count: 1 << 14)
        var position = 0
        var literal = 0
        func word(_ index: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(input[index + $1]) << UInt32(8 * $1) }
        }
        while position + 4 <= input.count {
            let slot = Int((word(position) &* 0x1e35_a7bd) >> 18)
            let candidate = table[slot]
            table[slot] = position
            guard candidate >= 0, position - candidate < 1 << 16, word(candidate) == word(position) else {
                position += 1
                continue
            }
            var length = 4
            while length < 64, position + length < input.count, input[candidate + length] == input[position + length] {
                length += 1
            }
            write(literal: input[literal..<position], to: &writer)
            let offset = position - candidate
            writer.append([UInt8((length - 1) << 2 | 2), UInt8(offset & 255), UInt8(offset >> 8)])
            position += length
            literal = position
        }
        write(literal: input[literal...], to: &writer)
        return writer.bytes
    }

    private static func write(literal: ArraySlice<UInt8>, to writer: inout ByteWriter) {
        var rest = literal
        while !rest.isEmpty {
            let part = rest.prefix(1 << 16)
            rest = rest.dropFirst(part.count)
            let size = part.count - 1
            if size < 60 {
                writer.append([UInt8(size << 2)])
            } else {
                writer.append([61 << 2, UInt8(size & 255), UInt8(size >> 8)])
            }
            writer.append(part)
        }
    }

    /// - Returns: `nil` for bytes that are no block, or that claim more than `limit` bytes.
    package static func decompress(_ input: [UInt8], limit: Int = 64 << 20) -> [UInt8]? {
        var reader = ByteReader(input)
        guard let size = reader.varint(), size <= UInt64(limit) else { return nil }
        var output: [UInt8] = []
        while !reader.isAtEnd {
            guard let tag = reader.slice(1)?.first else { return nil }
            if tag & 3 == 0 {
                guard let length = literalLength(tag, &reader), let bytes = reader.slice(length) else { return nil }
                output += bytes
            } else {
                guard let (length, offset) = copy(tag, &reader), offset > 0, offset <= output.count else { return nil }
                for _ in 0..<length { output.append(output[output.count - offset]) }
            }
            guard output.count <= Int(size) else { return nil }
        }
        return output.count == Int(size) ? output : nil
    }

    private static func number(_ count: Int, _ reader: inout ByteReader) -> Int? {
        reader.slice(count).map { $0.reversed().reduce(0) { $0 << 8 | Int($1) } }
    }

    private static func literalLength(_ tag: UInt8, _ reader: inout ByteReader) -> Int? {
        let size = Int(tag >> 2)
        return size < 60 ? size + 1 : number(size - 59, &reader).map { $0 + 1 }
    }

    private static func copy(_ tag: UInt8, _ reader: inout ByteReader) -> (length: Int, offset: Int)? {
        switch tag & 3 {
        case 1: number(1, &reader).map { (Int(tag >> 2 & 7) + 4, Int(tag >> 5) << 8 | $0) }
        case 2: number(2, &reader).map { (Int(tag >> 2) + 1, $0) }
        default: number(4, &reader).map { (Int(tag >> 2) + 1, $0) }
        }
    }
}
