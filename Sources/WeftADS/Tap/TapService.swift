package import GRPCCore
package import Logging
package import WeftCore
package import WeftIdentity

/// Our own service beside discovery: a proxy opens one stream, is told what is watched, and tells of the requests that
/// match; it may ask who has an address. Messages are JSON. A control plane without it answers UNIMPLEMENTED, and the proxy leaves it at that.
package struct TapService: RegistrableRPCService {
    static let method = MethodDescriptor(fullyQualifiedService: "weft.tap.v1.Tap", method: "Serve")

    private let hub: TapHub
    private let authenticate: @Sendable (_ token: String) async throws -> SPIFFEIdentity?
    private let logger: Logger
    private let resolve: @Sendable (_ address: String) -> JSONValue?

    /// - Parameters:
    ///   - resolve: The workload that has an address, as node metadata.
    ///   - authenticate: `nil` is a bad token; an error means try again later.
    package init(
        hub: TapHub, logger: Logger, resolve: @escaping @Sendable (_ address: String) -> JSONValue? = { _ in nil },
        authenticate: @escaping @Sendable (_ token: String) async throws -> SPIFFEIdentity?
    ) {
        self.hub = hub
        self.logger = logger
        self.resolve = resolve
        self.authenticate = authenticate
    }

    package func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerHandler(forMethod: Self.method, deserializer: PlainBytes(), serializer: PlainBytes()) {
            request, _ in
            let peer = try await caller(request.metadata)
            return StreamingServerResponse { writer in
                try await serve(request.messages, peer) { try await writer.write($0) }
                return [:]
            }
        }
    }

    private func caller(_ metadata: Metadata) async throws -> SPIFFEIdentity {
        guard let token = BearerToken.read(metadata[stringValues: "authorization"]) else {
            throw RPCError(code: .unauthenticated, message: "no bearer token in the metadata \"authorization\"")
        }
        let identity: SPIFFEIdentity?
        do {
            identity = try await authenticate(token)
        } catch {
            logger.error("tap: a token could not be checked: \(error)")
            throw RPCError(code: .unavailable, message: "the token could not be checked now; try again")
        }
        guard let identity else { throw RPCError(code: .unauthenticated, message: "the bearer token is not valid") }
        return identity
    }

    /// Serves one stream to its end.
    private func serve(
        _ incoming: RPCAsyncSequence<[UInt8], any Error>, _ peer: SPIFFEIdentity,
        write: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        var messages = incoming.makeAsyncIterator()
        guard let first = try await messages.next() else { return }
        guard let hello = TapHello(bytes: first) else {
            throw RPCError(code: .invalidArgument, message: "the first message must say who tells: {\"node\": ...}")
        }
        if let problem = NodeCheck.problem(hello.node, peer: peer) {
            logger.warning("tap: proxy \(hello.node.id) refused: \(problem)")
            throw RPCError(code: .permissionDenied, message: problem)
        }
        guard let node = hello.tapNode else {
            throw RPCError(
                code: .invalidArgument, message: "the node's id is not of the form TYPE~ADDRESS~POD.NAMESPACE~DOMAIN")
        }
        let (id, orders) = hub.join(node)
        defer { hub.leave(id) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for await order in orders { try await write(order) } }
            while let bytes = try await messages.next() {
                if let address = ClientQuestion.read(bytes) {
                    try await write(ClientAnswer(address: address, workload: resolve(address)).bytes)
                    continue
                }
                guard let message = TapMessage(bytes: bytes) else {
                    throw RPCError(code: .invalidArgument, message: "a message that tells of no request")
                }
                hub.take(message, from: id)
            }
            group.cancelAll()
        }
    }
}

/// Who tells: the first message of a proxy's stream.
struct TapHello: Sendable {
    var node: ADSNode

    init(_ node: ADSNode) { self.node = node }

    init?(bytes: [UInt8]) {
        guard bytes.count <= 1 << 16, let value = try? JSONValue(parsing: bytes, maximumDepth: 16),
            let id = value["node"]?.stringValue
        else { return nil }
        node = ADSNode(id: id, metadata: value["metadata"] ?? [:])
    }

    var bytes: [UInt8] {
        var metadata: JSONValue = [:]
        for name in ["NAMESPACE", "SERVICE_ACCOUNT", "WORKLOAD_NAME"] { metadata[name] = node.metadata[name] }
        return (["node": .string(node.id), "metadata": metadata] as JSONValue).serialized()
    }

    /// `nil` for an id that names no pod.
    var tapNode: TapNode? {
        let parts = node.id.split(separator: "~", omittingEmptySubsequences: false)
        guard parts.count == 4, let dot = parts[2].lastIndex(of: "."), let namespace = node.namespace else {
            return nil
        }
        let pod = parts[2][..<dot]
        return TapNode(
            pod: String(pod), namespace: namespace, workload: node.metadata["WORKLOAD_NAME"]?.stringValue ?? "")
    }
}
