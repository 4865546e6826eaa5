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

    /// A gRPC call, whatever its service and method, gets its own messages back, with status OK.
    private static func grpcEcho(_ request: SampleRequest, host: String) -> SampleResponse {
        SampleResponse(
            headers: [("content-type", "application/grpc"), ("x-echo-host", host), ("x-echo-path", request.path)],
            bytes: request.body, trailers: [("grpc-status", "0"), ("grpc-message", "echo")])
    }

    static func echo(_ request: SampleRequest, host: String, version: String) -> SampleResponse {
        if request.isGRPC { return grpcEcho(request, host: host) }
        var headers: [String: JSONValue] = [:]
        for (name, value) in request.headers {
            let name = name.lowercased()
            headers[name] = .string(headers[name]?.stringValue.map { "\($0),\(value)" } ?? value)
        }
        let answer: JSONValue = [
            "method": .string(request.method), "url": .string(request.uri), "headers": .object(headers),
            "args": .object(request.query.mapValues { .string($0) }), "data": .string(String(buffer: request.body)),
            "origin": .string(request.remoteAddress), "hostname": .string(host), "version": .string(version),
            "protocol": .string(request.version),
        ]
        return .json(answer.description + "\n")
    }
}
