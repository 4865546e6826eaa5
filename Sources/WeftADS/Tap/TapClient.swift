import GRPCCore
import Logging

/// A proxy that can tell of its requests while they are watched.
package protocol TapSource: Sendable {
    /// Tells what these orders ask for from now on, and nothing else; none ends it.
    /// - Parameter tell: `false` when what it was given had to be left out.
    func serve(_ orders: [TapOrder], tell: @escaping @Sendable (TapMessage) -> Bool)

    /// The control plane can be asked who has an address from now on; `nil`: it cannot any more.
    /// - Parameter ask: `false` when the question had to be left out. The answer comes by ``learn(_:)``.
    func resolve(_ ask: (@Sendable (_ address: String) -> Bool)?)

    func learn(_ answer: ClientAnswer)
}

/// The proxy's end of the tap, on the connection of its discovery stream.
struct TapClient: Sendable {
    /// Messages that may wait for a control plane that is slow.
    private static let backlog = 1024

    let source: any TapSource
    let configuration: ADSClient.Configuration
    let logger: Logger

    /// Runs until the task is cancelled, or until the control plane is found to have no such service.
    func run(_ client: GRPCClient<some ClientTransport>) async {
        // When a whole mesh comes back at once, discovery goes first.
        var pause = Duration.seconds(Double.random(in: 0.5..<2))
        while (try? await Task.sleep(for: pause)) != nil {
            do {
                try await connect(client)
            } catch let error as RPCError where error.code == .unimplemented {
                return
            } catch {
                logger.debug("tap: \(error)")
            }
            source.serve([]) { _ in false }
            source.resolve(nil)
            pause = .seconds(Double.random(in: 3..<6))
        }
    }

    private func connect(_ client: GRPCClient<some ClientTransport>) async throws {
        let (messages, outbox) = AsyncStream.makeStream(
            of: [UInt8].self, bufferingPolicy: .bufferingOldest(Self.backlog))
        outbox.yield(TapHello(configuration.node).bytes)
        let request = StreamingClientRequest(of: [UInt8].self, metadata: try configuration.metadata()) { writer in
            for await message in messages { try await writer.write(message) }
        }
        try await client.bidirectionalStreaming(
            request: request, descriptor: TapService.method, serializer: PlainBytes(), deserializer: PlainBytes(),
            options: .defaults
        ) { [source] response in
            defer { outbox.finish() }
            var resolves = false
            for try await bytes in response.messages {
                if let answer = ClientAnswer(bytes: bytes) {
                    source.learn(answer)
                    continue
                }
                if !resolves, TapOrder.resolves(bytes) {
                    resolves = true
                    source.resolve { address in
                        if case .enqueued = outbox.yield(ClientQuestion.bytes(address)) { return true }
                        return false
                    }
                }
                guard let orders = TapOrder.read(bytes) else {
                    throw RPCError(code: .invalidArgument, message: "orders that cannot be read")
                }
                source.serve(orders) { message in
                    if case .enqueued = outbox.yield(message.bytes) { return true }
                    return false
                }
            }
        }
    }
}
