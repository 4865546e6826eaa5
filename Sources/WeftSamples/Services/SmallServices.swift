import NIOCore
import NIOHTTP1
import Synchronization
import WeftCore

/// The one-page samples: each is a function from request to response.
enum SmallServices {
    static func hello(_ request: SampleRequest, host: String) -> SampleResponse {
        let id = request.headers.first(name: "x-request-id") ?? String(UInt64.random(in: .min ... .max), radix: 16)
        return .text(
            "Server address: \(request.headers.first(name: "host") ?? "")\nServer name: \(host)\nURI: \(request.uri)\nRequest ID: \(id)\n"
        )
    }

    static func nginx(_ request: SampleRequest) -> SampleResponse {
        request.path == "/" || request.path == "/index.html"
            ? .html(
                "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>"
            )
            : .html(
                "<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>", status: 404
            )
    }

    static func echo(_ request: SampleRequest, host: String, version: String) -> SampleResponse {
        var answer = described(request)
        answer["hostname"] = .string(host)
        answer["version"] = .string(version)
        return .json(answer.description)
    }

    static func httpbin(_ request: SampleRequest) async -> SampleResponse {
        let parts = request.path.split(separator: "/").map(String.init)
        switch parts.first {
        case "status": return SampleResponse(status: parts.dropFirst().first.flatMap { Int($0) } ?? 200)
        case "delay":
            let seconds = min(10, max(0, parts.dropFirst().first.flatMap { Double($0) } ?? 0))
            try? await Task.sleep(for: .milliseconds(Int(seconds * 1000)))
        case "bytes", "stream":
            return .text(
                String(repeating: "x", count: min(102_400, max(0, parts.dropFirst().first.flatMap { Int($0) } ?? 0))))
        case "response-headers":
            return SampleResponse(headers: request.query.map { ($0.key, $0.value) }, body: "{}")
        case nil, "get", "post", "put", "delete", "patch", "headers", "anything", "ip", "user-agent": break
        default: return .text("not found\n", status: 404)
        }
        return .json(described(request).description)
    }

    private static func described(_ request: SampleRequest) -> JSONValue {
        var headers: [String: JSONValue] = [:]
        for (name, value) in request.headers { headers[name] = .string(value) }
        return [
            "method": .string(request.method), "url": .string(request.uri), "headers": .object(headers),
            "args": .object(request.query.mapValues { .string($0) }), "data": .string(String(buffer: request.body)),
            "origin": .string(request.remoteAddress),
        ]
    }
}

/// Fails or dawdles for the first answers to each key, then recovers. Safe to call from any thread.
final class Flaky: Sendable {
    private let counts = Mutex<[String: Int]>([:])
    private let fail: Int
    private let status: Int
    private let delay: Double

    init(fail: Int, status: Int, delay: Double) {
        self.fail = fail
        self.status = status
        self.delay = delay
    }

    func answer(_ request: SampleRequest) async -> SampleResponse {
        let query = request.query
        let key = query["key"] ?? request.headers.first(name: "x-key") ?? request.path
        let number = counts.withLock { counts in
            counts[key, default: 0] += 1
            return counts[key] ?? 1
        }
        let limit = query["fail"].flatMap { Int($0) } ?? fail
        let seconds = query["delay"].flatMap { Double($0.hasSuffix("s") ? String($0.dropLast()) : $0) } ?? delay
        if seconds > 0, number <= max(1, limit) {
            try? await Task.sleep(for: .milliseconds(Int(min(60, seconds) * 1000)))
        } else if number <= limit {
            return .text("failure \(number) of \(limit)\n", status: query["status"].flatMap { Int($0) } ?? status)
        }
        return SampleResponse(headers: [("x-attempt", String(number))], body: "ok after \(number)\n")
    }
}
