/// What makes a header block undecodable; always a connection error (RFC 9113, 4.3).
package enum HPACKError: String, Error, Sendable {
    case truncated = "a field line ends before its length says"
    case integerOverflow = "an integer is larger than any length can be"
    case invalidIndex = "an index points to no entry of either table"
    case invalidHuffman = "a Huffman string is not well-formed"
    case misplacedSizeUpdate = "a dynamic table size update stands behind a field line"
    case sizeUpdateTooLarge = "a dynamic table size update is larger than SETTINGS_HEADER_TABLE_SIZE allows"
}

/// Decodes header blocks of one direction of a connection (RFC 7541). Not shared between threads.
package final class HPACKDecoder {
    private let table: HPACKDynamicTable
    private let maximumTableSize: Int
    private let huffman = HPACKHuffman.shared
    private let staticTable = HPACKStaticTable.shared

    /// - Parameter maximumTableSize: The SETTINGS_HEADER_TABLE_SIZE that the peer was told, in bytes.
    package init(maximumTableSize: Int = 4096) {
        self.maximumTableSize = maximumTableSize
        table = HPACKDynamicTable(maximumSize: maximumTableSize)
    }

    package var tableSize: Int { table.size }
    package var tableCount: Int { table.count }

    /// Decodes one whole header block and replaces the contents of `list` by it.
    ///
    /// A block over the list's limits is still decoded to its end, because later blocks refer to what it puts in the
    /// table.
    package func decode(_ block: UnsafeBufferPointer<UInt8>, into list: HPACKFieldList) throws(HPACKError) {
        list.removeAll()
        var input = Input(bytes: block)
        var mayResize = true
        while input.position < block.count {
            let first = block[input.position]
            if first & 0x80 != 0 {
                try indexed(try input.integer(prefix: 7), list)
            } else if first & 0xC0 == 0x40 {
                try literal(&input, prefix: 6, adds: true, never: false, list)
            } else if first & 0xE0 == 0x20 {
                guard mayResize else { throw .misplacedSizeUpdate }
                let size = try input.integer(prefix: 5)
                guard size <= maximumTableSize else { throw .sizeUpdateTooLarge }
                table.setMaximumSize(size)
                continue
            } else {
                try literal(&input, prefix: 4, adds: false, never: first & 0x10 != 0, list)
            }
            mayResize = false
        }
    }

    private func indexed(_ index: Int, _ list: HPACKFieldList) throws(HPACKError) {
        guard index > 0 else { throw .invalidIndex }
        if index <= HPACKStaticTable.count {
            let entry = staticTable[index]
            let length = Int(entry.nameLength + entry.valueLength)
            let start = list.byteCount
            copyStatic(Int(entry.start), length, to: list.reserve(length))
            list.commit(
                .init(
                    start: start, nameLength: Int(entry.nameLength), valueLength: Int(entry.valueLength),
                    fingerprint: entry.fingerprint, isValid: true, isNeverIndexed: false))
            return
        }
        guard index - HPACKStaticTable.count <= table.count else { throw .invalidIndex }
        let entry = table[index - HPACKStaticTable.count - 1]
        let length = entry.nameLength + entry.valueLength
        let start = list.byteCount
        list.reserve(length).update(from: table.arena + entry.start, count: length)
        list.commit(
            .init(
                start: start, nameLength: entry.nameLength, valueLength: entry.valueLength,
                fingerprint: entry.fingerprint, isValid: entry.isValid, isNeverIndexed: false))
    }

    private func copyStatic(_ start: Int, _ length: Int, to target: UnsafeMutablePointer<UInt8>) {
        target.update(from: staticTable.bytes + start, count: length)
    }

    private func literal(
        _ input: inout Input, prefix: UInt8, adds: Bool, never: Bool, _ list: HPACKFieldList
    ) throws(HPACKError) {
        let index = try input.integer(prefix: prefix)
        let start = list.byteCount
        var field = HPACKFieldList.Field(
            start: start, nameLength: 0, valueLength: 0, fingerprint: 0, isValid: true, isNeverIndexed: never)
        try readName(&input, index, &field, list)
        field.valueLength = try string(&input, after: field.nameLength, list)
        field.isValid = field.isValid && FieldSyntax.isValue(list.value(field))
        if adds {
            table.insert(
                name: list.name(field), value: list.value(field), fingerprint: field.fingerprint, valueHash: 0,
                isValid: field.isValid)
        }
        list.commit(field)
    }

    private func readName(
        _ input: inout Input, _ index: Int, _ field: inout HPACKFieldList.Field, _ list: HPACKFieldList
    ) throws(HPACKError) {
        if index == 0 {
            field.nameLength = try string(&input, after: 0, list)
            (field.fingerprint, field.isValid) = FieldSyntax.checkName(list.name(field))
        } else if index <= HPACKStaticTable.count {
            let entry = staticTable[index]
            field.nameLength = Int(entry.nameLength)
            field.fingerprint = entry.fingerprint
            copyStatic(Int(entry.start), field.nameLength, to: list.reserve(field.nameLength))
        } else {
            guard index - HPACKStaticTable.count <= table.count else { throw .invalidIndex }
            let entry = table[index - HPACKStaticTable.count - 1]
            field.nameLength = entry.nameLength
            field.fingerprint = entry.fingerprint
            list.reserve(entry.nameLength).update(from: table.arena + entry.start, count: entry.nameLength)
            // The entry may be invalid for its value alone.
            if !entry.isValid { field.isValid = FieldSyntax.checkName(list.name(field)).isValid }
        }
    }

    /// Reads a string literal to the place `offset` bytes behind the list's committed bytes.
    private func string(
        _ input: inout Input, after offset: Int, _ list: HPACKFieldList
    ) throws(HPACKError) -> Int {
        guard input.position < input.bytes.count else { throw .truncated }
        let isHuffman = input.bytes[input.position] & 0x80 != 0
        let length = try input.integer(prefix: 7)
        guard length <= input.bytes.count - input.position else { throw .truncated }
        let source = UnsafeBufferPointer(rebasing: input.bytes[input.position..<(input.position + length)])
        input.position += length
        guard isHuffman else {
            let target = list.reserve(length, keeping: offset)
            if let base = source.baseAddress { target.update(from: base, count: length) }
            return length
        }
        let target = list.reserve(length * 8 / 5 + 1, keeping: offset)
        guard let decoded = huffman.decode(source, to: target) else { throw .invalidHuffman }
        return decoded
    }

    private struct Input {
        let bytes: UnsafeBufferPointer<UInt8>
        var position = 0

        /// An integer with an `prefix`-bit prefix (RFC 7541, 5.1), up to 2^28.
        mutating func integer(prefix: UInt8) throws(HPACKError) -> Int {
            let mask = (1 << Int(prefix)) - 1
            var value = Int(bytes[position]) & mask
            position += 1
            guard value == mask else { return value }
            var shift = 0
            while true {
                guard position < bytes.count else { throw .truncated }
                guard shift <= 21 else { throw .integerOverflow }
                let byte = Int(bytes[position])
                position += 1
                value += (byte & 0x7F) << shift
                shift += 7
                if byte & 0x80 == 0 { return value }
            }
        }
    }
}
