#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// An HTTP/1 message as it was on the wire, read without any of the code under test.
package struct WireMessage: Sendable, Equatable {
    package struct Field: Sendable, Hashable {
        package var name: String
        package var value: String
        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }
    package var startLine: String
    package var fields: [Field] = []
    package var body: [UInt8] = []
    package var trailers: [Field] = []

    package init(startLine: String, fields: [Field] = []) {
        self.startLine = startLine
        self.fields = fields
    }

    /// The middle word of a status line.
    package var status: Int { Int(startLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    package var method: String { startLine.split(separator: " ").first.map(String.init) ?? "" }
    package var target: String {
        let parts = startLine.split(separator: " ", omittingEmptySubsequences: false)
        return parts.count > 1 ? String(parts[1]) : ""
    }
    package var text: String { String(decoding: body, as: UTF8.self) }

    package func values(_ name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name }.map(\.value)
    }
    package func first(_ name: String) -> String? { values(name).first }
}

/// Reads messages out of a growing buffer. Lenient in what it takes: the test compares, it does not validate.
package struct WireReader {
    package var buffer: [UInt8] = []
    private var offset = 0
    package init() {}

    package var rest: ArraySlice<UInt8> { buffer[offset...] }
    package var isEmpty: Bool { offset == buffer.count }

    /// - Parameters:
    ///   - isResponse: a response without a length reads until the connection ends.
    ///   - hasBody: false for the response to HEAD.
    ///   - ended: nothing more will come.
    /// - Returns: the next whole message, or `nil`.
    package mutating func next(isResponse: Bool, hasBody: Bool = true, ended: Bool = false) -> WireMessage? {
        guard let headEnd = find([13, 10, 13, 10], from: offset) else { return nil }
        let lines = String(decoding: buffer[offset..<headEnd], as: UTF8.self)
            .split(separator: "\r\n", omittingEmptySubsequences: false)
        var message = WireMessage(startLine: String(lines.first ?? ""))
        message.fields = lines.dropFirst().map(WireReader.field)
        var position = headEnd + 4
        let status = isResponse ? message.status : 200
        let mayHaveBody = hasBody && status >= 200 && status != 204 && status != 304
        if mayHaveBody, message.values("transfer-encoding").last?.lowercased() == "chunked" {
            guard let end = readChunks(from: position, into: &message) else { return nil }
            position = end
        } else if mayHaveBody, let length = message.first("content-length").flatMap({ Int($0) }) {
            guard buffer.count - position >= length else { return nil }
            message.body = Array(buffer[position..<position + length])
            position += length
        } else if mayHaveBody, isResponse, message.first("upgrade") == nil {
            guard ended else { return nil }
            message.body = Array(buffer[position...])
            position = buffer.count
        }
        offset = position
        return message
    }

    private mutating func readChunks(from start: Int, into message: inout WireMessage) -> Int? {
        var position = start
        while true {
            guard let lineEnd = find([13, 10], from: position) else { return nil }
            let line = String(decoding: buffer[position..<lineEnd], as: UTF8.self)
            guard let size = Int(line.prefix { $0.isHexDigit }, radix: 16) else { return nil }
            position = lineEnd + 2
            if size == 0 { break }
            guard buffer.count >= position + size + 2 else { return nil }
            message.body += buffer[position..<position + size]
            position += size + 2
        }
        while true {
            guard let lineEnd = find([13, 10], from: position) else { return nil }
            defer { position = lineEnd + 2 }
            if lineEnd == position { return lineEnd + 2 }
            message.trailers.append(WireReader.field(Substring(decoding: buffer[position..<lineEnd], as: UTF8.self)))
        }
    }

    private static func field(_ line: Substring) -> WireMessage.Field {
        let colon = line.firstIndex(of: ":") ?? line.endIndex
        let value = line[colon...].dropFirst().drop { $0 == " " }
        return WireMessage.Field(String(line[..<colon]), String(value))
    }

    private func find(_ pattern: [UInt8], from start: Int) -> Int? { ByteSearch.find(pattern, in: buffer, from: start) }
}

/// Search in bytes with the C library: a debug build of the generic algorithms takes minutes for what this does at
/// once.
package enum ByteSearch {
    package static func find(_ pattern: [UInt8], in bytes: [UInt8], from start: Int = 0) -> Int? {
        guard let first = pattern.first else { return nil }
        return bytes.withUnsafeBytes { all in
            var position = start
            while position + pattern.count <= all.count, let base = all.baseAddress {
                guard let found = memchr(base + position, CInt(first), all.count - position - pattern.count + 1) else {
                    return nil
                }
                position = UnsafeRawPointer(found) - base
                if memcmp(found, pattern, pattern.count) == 0 { return position }
                position += 1
            }
            return nil
        }
    }

    package static func replace(_ pattern: String, with replacement: String, in text: String) -> String {
        let bytes = Array(text.utf8)
        guard find(Array(pattern.utf8), in: bytes) != nil else { return text }
        return String(decoding: replace(Array(pattern.utf8), with: Array(replacement.utf8), in: bytes), as: UTF8.self)
    }
}

extension ByteSearch {
    package static func replace(_ pattern: [UInt8], with replacement: [UInt8], in bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var position = 0
        while let found = find(pattern, in: bytes, from: position) {
            result += bytes[position..<found]
            result += replacement
            position = found + pattern.count
        }
        return position == 0 ? bytes : result + bytes[position...]
    }
}
