import NIOCore
import NIOHTTP1

/// One request as the samples see it.
struct SampleRequest: Sendable {
    var method: String
    var uri: String
    var headers: HTTPHeaders
    var body: ByteBuffer
    /// `HTTP/1.1` or `HTTP/2`.
    var version: String
    var remoteAddress: String
    /// `IP:port` that the connection was accepted on.
    var localAddress: String

    var isGRPC: Bool { headers.first(name: "content-type")?.hasPrefix("application/grpc") == true }
    var path: String { String(uri.prefix { $0 != "?" }) }
    var segments: [String] { path.split(separator: "/").map(String.init) }
    var query: [String: String] {
        guard let mark = uri.firstIndex(of: "?") else { return [:] }
        return SampleRequest.form(uri[uri.index(after: mark)...])
    }

    /// Names and values of a query or a posted form, decoded. The last of equal names counts.
    static func form(_ text: some StringProtocol) -> [String: String] {
        var result: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if let name = parts.first { result[decoded(name.utf8)] = parts.count > 1 ? decoded(parts[1].utf8) : "" }
        }
        return result
    }

    private static func decoded(_ text: some Collection<UInt8>) -> String {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// One answer.
struct SampleResponse: Sendable {
    var status = 200
    var headers: [(String, String)] = []
    var body = ""
    /// Sent one by one, without a length; `body` is not sent then.
    var chunks: [String]?
    /// Sent in place of `body`, without a length.
    var bytes: ByteBuffer?
    var trailers: [(String, String)] = []

    static func json(_ body: String, status: Int = 200) -> SampleResponse {
        SampleResponse(status: status, headers: [("content-type", "application/json")], body: body)
    }
    static func html(_ body: String, status: Int = 200) -> SampleResponse {
        SampleResponse(status: status, headers: [("content-type", "text/html; charset=utf-8")], body: body)
    }
    static func text(_ body: String, status: Int = 200) -> SampleResponse {
        SampleResponse(status: status, headers: [("content-type", "text/plain")], body: body)
    }
}

typealias SampleService = @Sendable (SampleRequest) async -> SampleResponse
