package import GRPCCore
import GRPCNIOTransportHTTP2
package import Logging
package import WeftProto

/// Passes the discovery streams of a proxy beside us on to the control plane, message by message.
///
/// The proxy needs neither token nor roots: both are read from their files for each stream, so that ones which were
/// replaced on disk are in use at the proxy's next connect. Fields that our definitions lack pass through unchanged.
/// When either side ends its stream, the other's ends too, with the same status.
package struct XDSRelay: Envoy_Service_Discovery_V3_AggregatedDiscoveryService.ServiceProtocol {
    private typealias Client = Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Client<HTTP2ClientTransport.Posix>
    /// What a proxy may have sent and the control plane not yet taken; a proxy opens one subscription per type.
    private static let backlog = 256

    private let configuration: ADSClient.Configuration
    private let logger: Logger

    /// - Parameter configuration: The control plane; its `node` is not used, the proxy sends its own.
    package init(_ configuration: ADSClient.Configuration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    package func streamAggregatedResources(
        request: StreamingServerRequest<Envoy_Service_Discovery_V3_DiscoveryRequest>, context: ServerContext
    ) async throws -> StreamingServerResponse<Envoy_Service_Discovery_V3_DiscoveryResponse> {
        relay(request) { client, request, handler in
            try await client.streamAggregatedResources(request: request, onResponse: handler)
        }
    }

    package func deltaAggregatedResources(
        request: StreamingServerRequest<Envoy_Service_Discovery_V3_DeltaDiscoveryRequest>, context: ServerContext
    ) async throws -> StreamingServerResponse<Envoy_Service_Discovery_V3_DeltaDiscoveryResponse> {
        relay(request) { client, request, handler in
            try await client.deltaAggregatedResources(request: request, onResponse: handler)
        }
    }

    private func relay<Request: Sendable, Response: Sendable>(
        _ request: StreamingServerRequest<Request>,
        call:
            @escaping @Sendable (
                Client, StreamingClientRequest<Request>,
                @escaping @Sendable (StreamingClientResponse<Response>) async throws -> Void
            ) async throws -> Void
    ) -> StreamingServerResponse<Response> {
        let incoming = request.messages
        return StreamingServerResponse { writer in
            let (requests, outbox) = AsyncStream.makeStream(
                of: Request.self, bufferingPolicy: .bufferingOldest(Self.backlog))
            // Not a child task: cancelling one that reads a stream closes it, before the proxy is told why. It ends with
            // the stream.
            Task {
                defer { outbox.finish() }
                for try await message in incoming {
                    // A proxy that the control plane does not keep up with starts again.
                    guard case .enqueued = outbox.yield(message) else { return }
                }
            }
            do {
                try await forward(requests, outbox, to: writer, call)
            } catch {
                // The control plane's trailers are of that stream; only code and words go on.
                let cause = error as? RPCError
                let status = RPCError(code: cause?.code ?? .unavailable, message: cause?.message ?? "\(error)")
                logger.warning(
                    "discovery at \(configuration.host):\(configuration.port): \(status.code): \(status.message)")
                throw status
            }
            return [:]
        }
    }

    private func forward<Request: Sendable, Response: Sendable>(
        _ requests: AsyncStream<Request>, _ outbox: AsyncStream<Request>.Continuation, to writer: RPCWriter<Response>,
        _ call:
            @escaping @Sendable (
                Client, StreamingClientRequest<Request>,
                @escaping @Sendable (StreamingClientResponse<Response>) async throws -> Void
            ) async throws -> Void
    ) async throws {
        let upstream = StreamingClientRequest(of: Request.self, metadata: try configuration.metadata()) { sink in
            for await message in requests { try await sink.write(message) }
        }
        try await withGRPCClient(transport: configuration.transport()) { client in
            try await call(Client(wrapping: client), upstream) { response in
                defer { outbox.finish() }
                for try await message in response.messages { try await writer.write(message) }
            }
        }
    }
}
