import NIOCore
import NIOHTTP1
import WeftCore

/// The part of httpbin that tutorials use: it shows the request that arrived.
enum Httpbin {
    static func answer(_ request: SampleRequest) async -> SampleResponse {
        let parts = request.segments
        let argument = parts.dropFirst().first ?? ""
        switch parts.first {
        case nil:
            return .html(
                "<!DOCTYPE html><html><head><title>httpbin.org</title></head><body><h1>httpbin</h1></body></html>")
        case "status": return status(argument)
        case "delay":
            try? await Task.sleep(for: .milliseconds(Int(min(10, max(0, Double(argument) ?? 0)) * 1000)))
            return .json(described(request, withBody: true).description + "\n")
        case "stream": return stream(request, lines: min(100, max(1, Int(argument) ?? 1)))
        case "bytes": return bytes(min(102_400, max(0, Int(argument) ?? 0)))
        case "uuid": return .json("{\"uuid\": \"\(uuid())\"}\n")
        case "headers": return .json(JSONValue.object(["headers": headers(request)]).description + "\n")
        case "ip": return .json(JSONValue.object(["origin": .string(origin(request))]).description + "\n")
        case "user-agent":
            let agent = JSONValue.string(request.headers.first(name: "user-agent") ?? "")
            return .json(JSONValue.object(["user-agent": agent]).description + "\n")
        case "response-headers":
            return SampleResponse(
                headers: [("content-type", "application/json")] + request.query.map { ($0.key, $0.value) },
                body: JSONValue.object(request.query.mapValues { .string($0) }).description + "\n")
        case "get", "post", "put", "delete", "patch":
            guard request.method == parts.first?.uppercased() || (request.method == "HEAD" && parts.first == "get")
            else {
                return .html("<h1>Method Not Allowed</h1>", status: 405)
            }
            return .json(described(request, withBody: parts.first != "get").description + "\n")
        case "anything":
            var answer = described(request, withBody: true)
            answer["method"] = .string(request.method)
            return .json(answer.description + "\n")
        default: return .html("<title>404 Not Found</title><h1>Not Found</h1>", status: 404)
        }
    }

    /// The address that the client claims, as the original's proxy-aware server does; otherwise the peer's.
    private static func origin(_ request: SampleRequest) -> String {
        request.headers.first(name: "x-forwarded-for") ?? request.remoteAddress
    }

    private static func status(_ text: String) -> SampleResponse {
        guard let code = Int(text), (200...599).contains(code) else { return .text("Invalid status code", status: 400) }
        return SampleResponse(status: code, headers: [("content-type", "text/html; charset=utf-8")])
    }

    private static func stream(_ request: SampleRequest, lines: Int) -> SampleResponse {
        let answer = described(request, withBody: false)
        let chunks = (0..<lines).map { number in
            var line = answer
            line["id"] = .int(Int64(number))
            return line.description + "\n"
        }
        return SampleResponse(headers: [("content-type", "application/json")], chunks: chunks)
    }

    private static func bytes(_ count: Int) -> SampleResponse {
        let letters = (0..<count).map { _ in UInt8.random(in: 33...126) }
        return SampleResponse(
            headers: [("content-type", "application/octet-stream")], body: String(decoding: letters, as: UTF8.self))
    }

    /// A random UUID, version 4.
    static func uuid() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }.joined(separator: "-")
    }

    /// Header names as httpbin prints them: `X-Request-Id`.
    private static func headers(_ request: SampleRequest) -> JSONValue {
        var headers: [String: JSONValue] = [:]
        for (name, value) in request.headers {
            let title = name.split(separator: "-", omittingEmptySubsequences: false)
                .map { $0.prefix(1).uppercased() + $0.dropFirst().lowercased() }.joined(separator: "-")
            headers[title] = .string(headers[title]?.stringValue.map { "\($0),\(value)" } ?? value)
        }
        return .object(headers)
    }

    private static func described(_ request: SampleRequest, withBody: Bool) -> JSONValue {
        let host = request.headers.first(name: "host") ?? ""
        let scheme = request.headers.first(name: "x-forwarded-proto") ?? "http"
        var answer: JSONValue = [
            "args": .object(request.query.mapValues { .string($0) }), "headers": headers(request),
            "origin": .string(origin(request)), "url": .string("\(scheme)://\(host)\(request.uri)"),
        ]
        guard withBody else { return answer }
        let body = String(buffer: request.body)
        let isForm = request.headers.first(name: "content-type")?.hasPrefix("application/x-www-form-urlencoded") == true
        answer["data"] = .string(isForm ? "" : body)
        answer["form"] = .object(isForm ? SampleRequest.form(body).mapValues { .string($0) } : [:])
        answer["files"] = .object([:])
        answer["json"] = (try? JSONValue(parsing: body)) ?? .null
        return answer
    }
}
