import NIOCore
import NIOHTTP1
import WeftCore

/// The one-page samples: each is a function from request to response.
enum SmallServices {
    /// Line for line what the image `nginxdemos/hello:plain-text` prints.
    static func hello(_ request: SampleRequest, host: String) -> SampleResponse {
        let id = Httpbin.uuid().filter { $0 != "-" }
        var answer = SampleResponse.text(
            "Server address: \(request.localAddress)\nServer name: \(host)\nDate: \(ClockText.logDate())\n"
                + "URI: \(request.uri)\nRequest ID: \(id)\n")
        answer.headers.append(("cache-control", "no-cache"))
        return answer
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
        var headers: [String: JSONValue] = [:]
        for (name, value) in request.headers {
            let name = name.lowercased()
            headers[name] = .string(headers[name]?.stringValue.map { "\($0),\(value)" } ?? value)
        }
        let answer: JSONValue = [
            "method": .string(request.method), "url": .string(request.uri), "headers": .object(headers),
            "args": .object(request.query.mapValues { .string($0) }), "data": .string(String(buffer: request.body)),
            "origin": .string(request.remoteAddress), "hostname": .string(host), "version": .string(version),
        ]
        return .json(answer.description + "\n")
    }
}
