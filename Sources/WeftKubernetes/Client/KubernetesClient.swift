import AsyncHTTPClient
import FoundationEssentials
package import Logging
package import NIOCore
package import NIOHTTP1
import NIOSSL
import Synchronization
package import WeftCore

/// A client of the Kubernetes API. Sendable and cheap to pass around; ``shutdown()`` ends its connections.
///
/// Every call either returns what the server answered, or throws ``KubernetesError`` with the server's own words,
/// or the transport's error when no answer came.
package final class KubernetesClient: Sendable {
    package let configuration: KubernetesConfiguration
    package let logger: Logger
    let http: HTTPClient
    let token: TokenSource
    let discovery = Mutex(DiscoveryCache())

    package init(
        configuration: KubernetesConfiguration,
        logger: Logger = Logger(label: "kubernetes", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.configuration = configuration
        self.logger = logger
        token = TokenSource(configuration.credential)
        var tls = configuration.tls
        // A server that is busy with a watch may not answer our goodbye; nobody is to wait long for it.
        tls.shutdownTimeout = .milliseconds(200)
        var settings = HTTPClient.Configuration(tlsConfiguration: tls)
        settings.httpVersion = .http1Only
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 256
        settings.connectionPool.idleTimeout = .seconds(60)
        settings.connectionPool.retryConnectionEstablishment = false
        settings.timeout.connect = .seconds(5)
        settings.redirectConfiguration = .disallow
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    /// - Parameter other: whose connections are used.
    private init(sharing other: KubernetesClient, token: String) {
        configuration = other.configuration
        logger = other.logger
        http = other.http
        self.token = TokenSource(.token(token))
    }

    /// A client for what somebody else asks for: the same connections, with that person's token and rights alone. It
    /// ends with this one and is not to be shut down.
    ///
    /// - Throws: ``KubernetesError`` where this client proves itself by certificate, which the API server would believe
    ///   before it looks at a token.
    package func acting(with token: String) throws -> KubernetesClient {
        guard configuration.tls.certificateChain.isEmpty else {
            throw KubernetesError(
                code: 501, reason: "NotImplemented",
                message: "this process proves itself to the API server by certificate, which would take the place of "
                    + "your token; run it with a service account")
        }
        return KubernetesClient(sharing: self, token: token)
    }

    package func shutdown() async throws { try await http.shutdown() }

    /// One exchange with a JSON answer.
    package func json(
        _ method: HTTPMethod, _ path: String, query: [(String, String)] = [], body: JSONValue? = nil,
        contentType: String = "application/json"
    ) async throws -> JSONValue {
        let content = body.map { Content(bytes: $0.serialized(), type: contentType) }
        let bytes = try await bytes(method, path, query: query, body: content)
        guard bytes.readableBytes > 0 else { return .null }
        return try JSONValue(parsing: bytes.readableBytesView)
    }

    /// One exchange with any answer, for pod proxies and logs.
    package func bytes(
        _ method: HTTPMethod, _ path: String, query: [(String, String)] = [], body: Content? = nil,
        headers: [(String, String)] = []
    ) async throws -> ByteBuffer {
        let response = try await open(method, path, query: query, body: body, headers: headers)
        return try await response.body.collect(upTo: 256 << 20)
    }

    /// Starts an exchange and returns once the head is here; an error status is read and thrown.
    func open(
        _ method: HTTPMethod, _ path: String, query: [(String, String)] = [], body: Content? = nil,
        headers: [(String, String)] = [], headTimeout: TimeAmount = .seconds(30)
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: configuration.server + path + Self.encoded(query))
        request.method = method
        request.headers.add(name: "Accept", value: "application/json, */*")
        request.headers.add(name: "User-Agent", value: "weft/\(WeftVersion.current)")
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let token = token.current() { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let body {
            request.headers.add(name: "Content-Type", value: body.type)
            request.body = .bytes(ByteBuffer(bytes: body.bytes))
        }
        let response = try await http.execute(request, timeout: headTimeout)
        guard (200..<300).contains(response.status.code) else {
            let text = try await response.body.collect(upTo: 4 << 20)
            throw KubernetesError(code: Int(response.status.code), body: text.readableBytesView)
        }
        return response
    }

    /// The body of a request.
    package struct Content: Sendable {
        package var bytes: [UInt8]
        package var type: String

        package init(bytes: [UInt8], type: String) {
            self.bytes = bytes
            self.type = type
        }
    }

    static func encoded(_ query: [(String, String)]) -> String {
        query.isEmpty ? "" : "?" + query.map { "\($0.pathEscaped)=\($1.pathEscaped)" }.joined(separator: "&")
    }
}

/// The bearer token of requests. A token file is read again after a minute, since the kubelet replaces it.
final class TokenSource: Sendable {
    private let credential: KubernetesConfiguration.Credential
    private let cache = Mutex<(token: String, readAt: ContinuousClock.Instant)?>(nil)

    init(_ credential: KubernetesConfiguration.Credential) { self.credential = credential }

    func current() -> String? {
        switch credential {
        case .none: return nil
        case .token(let token): return token
        case .tokenFile(let path):
            return cache.withLock { cached in
                let now = ContinuousClock.now
                if let cached, now - cached.readAt < .seconds(60) { return cached.token }
                guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return cached?.token }
                let token = String(text.filter { !$0.isWhitespace })
                cached = (token, now)
                return token
            }
        }
    }
}
