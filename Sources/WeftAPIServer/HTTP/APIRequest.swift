import FoundationEssentials
import NIOCore
import NIOHTTP1
import WeftConfig
import WeftCore

/// One HTTP request, read completely.
struct APIRequest: Sendable {
    var method: HTTPMethod
    var path: [String]
    var query: [(name: String, value: String)]
    var headers: HTTPHeaders
    var body: ByteBuffer
    var user: UserInfo = .anonymous

    init(head: HTTPRequestHead, body: ByteBuffer) {
        method = head.method
        headers = head.headers
        self.body = body
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts[0].split(separator: "/").map { Self.unescape($0) }
        query =
            parts.count < 2
            ? []
            : parts[1].split(separator: "&").map { pair in
                let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (Self.unescape(sides[0]), sides.count == 2 ? Self.unescape(sides[1]) : "")
            }
    }

    private static func unescape(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func first(_ name: String) -> String? { query.first { $0.name == name }?.value }
    func all(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }
    func flag(_ name: String) -> Bool { first(name) == "true" || first(name) == "1" }
    var accept: String { headers["accept"].joined(separator: ",") }
    var contentType: String {
        String((headers.first(name: "content-type") ?? "application/json").split(separator: ";")[0]).lowercased()
    }

    private static func unsupported(_ message: String) -> APIError {
        APIError(code: 415, reason: "UnsupportedMediaType", message: message)
    }

    /// The body as JSON; YAML and Kubernetes' protobuf are taken too.
    func json() throws -> JSONValue {
        if contentType == "application/vnd.kubernetes.protobuf" {
            do throws(ProtobufProblem) {
                return try ProtobufDecoder.object(Array(body.readableBytesView))
            } catch {
                if case .malformed = error {
                    throw APIError.badRequest("error decoding the body of the request: \(error.message)")
                }
                throw Self.unsupported(error.message)
            }
        }
        if contentType.contains("protobuf") || contentType.contains("cbor") {
            throw Self.unsupported(
                "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf"
            )
        }
        let text = String(buffer: body)
        do {
            if contentType.contains("yaml") { return try YAMLReader.value(in: text) }
            return try JSONValue(parsing: text)
        } catch {
            throw APIError.badRequest("error decoding the body of the request: \(error)")
        }
    }
}

/// Writes one response: whole, or as a stream.
struct ResponseWriter: Sendable {
    let channel: any Channel
    let keepAlive: Bool

    func send(_ status: HTTPResponseStatus, type: String, body: ByteBuffer, warnings: [String] = []) async throws {
        var headers: HTTPHeaders = [
            "content-type": type, "content-length": String(body.readableBytes), "cache-control": "no-cache, private",
        ]
        for warning in warnings {
            headers.add(name: "warning", value: "299 - \"\(warning.replacing("\"", with: "\\\""))\"")
        }
        if !keepAlive { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(HTTPServerResponsePart.body(.byteBuffer(body)), promise: nil)
        try await end()
    }

    func send(_ json: JSONValue, status: Int = 200, type: String = "application/json", warnings: [String] = [])
        async throws
    {
        var bytes = json.serialized()
        bytes.append(UInt8(ascii: "\n"))
        try await send(.init(statusCode: status), type: type, body: ByteBuffer(bytes: bytes), warnings: warnings)
    }

    func begin(type: String) async throws {
        let headers: HTTPHeaders = [
            "content-type": type, "transfer-encoding": "chunked", "cache-control": "no-cache, private",
        ]
        let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
        try await channel.writeAndFlush(HTTPServerResponsePart.head(head))
    }

    func write(_ bytes: ByteBuffer) async throws {
        try await channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(bytes)))
    }

    func end() async throws {
        try await channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        if !keepAlive { channel.close(promise: nil) }
    }
}
