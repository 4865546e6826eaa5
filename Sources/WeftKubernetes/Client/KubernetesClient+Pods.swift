import AsyncHTTPClient
package import NIOCore
import NIOHTTP1
import WeftConfig
import WeftCore

/// A body as it grows, such as the log of one container: chunks of bytes, as the server sends them.
package struct LogStream: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer
    let body: HTTPClientResponse.Body

    package struct AsyncIterator: AsyncIteratorProtocol {
        var base: HTTPClientResponse.Body.AsyncIterator
        @concurrent package mutating func next() async throws -> ByteBuffer? { try await base.next() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: body.makeAsyncIterator()) }
}

extension KubernetesClient {
    /// The log of a container so far, and with `follow` what it writes from now on.
    package func logs(
        namespace: String, pod: String, container: String? = nil, follow: Bool = false, tailLines: Int? = nil,
        previous: Bool = false
    ) async throws -> LogStream {
        var query: [(String, String)] = []
        if let container { query.append(("container", container)) }
        if follow { query.append(("follow", "true")) }
        if let tailLines { query.append(("tailLines", String(tailLines))) }
        if previous { query.append(("previous", "true")) }
        let path = APIResource.pods.path(namespace: namespace, name: pod, subresource: "log")
        return LogStream(body: try await open(.GET, path, query: query).body)
    }

    /// The last lines of a container's log, each behind its time.
    /// - Parameter since: from this time on, as RFC 3339 writes it; `nil` for the last `tailLines` lines.
    package func logText(
        namespace: String, pod: String, container: String, tailLines: Int, since: String? = nil
    ) async throws -> ByteBuffer {
        var query = [("container", container), ("timestamps", "true"), ("tailLines", String(tailLines))]
        if let since { query.append(("sinceTime", since)) }
        return try await bytes(
            .GET, APIResource.pods.path(namespace: namespace, name: pod, subresource: "log"), query: query)
    }

    /// `GET path` on a port of a pod, through the API server.
    package func podProxyGet(
        namespace: String, pod: String, port: Int, path: String, query: [(String, String)] = [],
        headers: [(String, String)] = []
    ) async throws -> ByteBuffer {
        try await proxyGet(.pods, namespace, "\(pod):\(port)", path, query, headers)
    }

    /// The same for an answer that has no end, such as a stream of events.
    package func podProxyStream(
        namespace: String, pod: String, port: Int, path: String, query: [(String, String)] = [],
        headers: [(String, String)] = []
    ) async throws -> LogStream {
        let base = APIResource.pods.path(namespace: namespace) + "/\(pod):\(port)/proxy"
        return LogStream(body: try await open(.GET, base + path, query: query, headers: headers).body)
    }

    /// `GET path` on a port (name or number) of a Service, through the API server.
    package func serviceProxyGet(
        namespace: String, service: String, port: String, path: String, query: [(String, String)] = []
    ) async throws -> ByteBuffer {
        try await proxyGet(.services, namespace, "\(service):\(port)", path, query)
    }

    private func proxyGet(
        _ resource: APIResource, _ namespace: String, _ target: String, _ path: String, _ query: [(String, String)],
        _ headers: [(String, String)] = []
    ) async throws -> ByteBuffer {
        let base = resource.path(namespace: namespace) + "/\(target)/proxy"
        return try await bytes(.GET, base + (path.hasPrefix("/") ? path : "/\(path)"), query: query, headers: headers)
    }
}

// MARK: - Tokens

/// Who a token belongs to, as the API server sees it.
package struct TokenIdentity: Sendable, Hashable {
    package var username: String
    package var groups: [String]
    /// The audiences that both the token and the question name.
    package var audiences: [String]

    /// Namespace and name, if the user is a service account.
    package var serviceAccount: (namespace: String, name: String)? {
        let parts = username.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "system", parts[1] == "serviceaccount" else { return nil }
        return (String(parts[2]), String(parts[3]))
    }
}

extension KubernetesClient {
    /// A short-lived token of a service account (TokenRequest).
    package func createToken(
        namespace: String, serviceAccount: String, audiences: [String], expirationSeconds: Int = 3600
    ) async throws -> String {
        let path = APIResource.serviceAccounts.path(namespace: namespace, name: serviceAccount, subresource: "token")
        let request: JSONValue = [
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": [
                "audiences": .array(audiences.map { .string($0) }), "expirationSeconds": .int(Int64(expirationSeconds)),
            ],
        ]
        let answer = try await json(.POST, path, body: request)
        guard let token = answer[path: "status", "token"]?.stringValue else {
            throw KubernetesError(code: 500, reason: "InternalError", message: "the server returned no token")
        }
        return token
    }

    /// Asks the server whether a token is good for one of `audiences`; `nil` when it is not.
    package func reviewToken(_ token: String, audiences: [String]) async throws -> TokenIdentity? {
        let review: JSONValue = [
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": ["token": .string(token), "audiences": .array(audiences.map { .string($0) })],
        ]
        let answer = try await json(.POST, APIResource.tokenReviews.path(), body: review)
        guard let status = answer["status"], status["authenticated"]?.boolValue == true else { return nil }
        let user = status["user"]
        return TokenIdentity(
            username: user?["username"]?.stringValue ?? "",
            groups: user?["groups"]?.arrayValue?.compactMap(\.stringValue) ?? [],
            audiences: status["audiences"]?.arrayValue?.compactMap(\.stringValue) ?? [])
    }
}

// MARK: - Beside the API

extension KubernetesClient {
    /// `GET` of any URL over the client's connections, without credentials; head and body within `timeout`.
    package func fetch(_ url: String, timeout: Duration = .seconds(2)) async throws -> ByteBuffer {
        let http = http
        return try await withThrowingTaskGroup(of: ByteBuffer.self) { group in
            group.addTask {
                let response = try await http.execute(HTTPClientRequest(url: url), timeout: .seconds(10))
                let body = try await response.body.collect(upTo: 64 << 20)
                guard response.status == .ok else {
                    throw KubernetesError(code: Int(response.status.code), body: body.readableBytesView)
                }
                return body
            }
            group.addTask {
                try await Task.sleep(for: timeout)
                throw KubernetesError(code: 504, reason: "Timeout", message: "no answer from \(url) within \(timeout)")
            }
            defer { group.cancelAll() }
            return try await group.next() ?? ByteBuffer()
        }
    }

    /// What a server outside the API server says to a `GET`, whatever its status; without our credentials.
    package func answer(
        of url: String, timeout: Duration = .seconds(60)
    ) async throws -> (status: Int, type: String, body: ByteBuffer) {
        let response = try await http.execute(
            HTTPClientRequest(url: url), timeout: .nanoseconds(timeout.components.seconds * 1_000_000_000))
        let body = try await response.body.collect(upTo: 64 << 20)
        return (Int(response.status.code), response.headers.first(name: "content-type") ?? "", body)
    }

    /// Posts a body to a URL outside the API server, without our credentials.
    /// - Returns: The status; the answer's body is let go.
    package func post(
        _ url: String, body: [UInt8], headers: [(String, String)], timeout: Duration = .seconds(30)
    ) async throws -> Int {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await http.execute(
            request, timeout: .nanoseconds(timeout.components.seconds * 1_000_000_000))
        _ = try? await response.body.collect(upTo: 1 << 20)
        return Int(response.status.code)
    }
}
