import NIOCore
import Synchronization
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// A stream of one of the proxy's clusters, for a request that the proxy makes by itself: picks a host, takes a
/// connection of its pool and opens an exchange on it.
///
/// Loop-confined. Calls back exactly once, unless it is cancelled first.
final class ClusterStream {
    private var pool: HTTPPool?
    private var waiter: PoolWaiter?

    /// - Parameters:
    ///   - isGRPC: Speaks HTTP/2 whatever the cluster says.
    ///   - receiver: Takes the response.
    func open(
        cluster name: String, on worker: Worker, isGRPC: Bool, receiver: any ResponseReceiver,
        completion: @escaping (Result<UpstreamStream, ClusterCallError>) -> Void
    ) {
        guard let cluster = worker.cluster(name) else { return completion(.failure(.noCluster(name))) }
        guard let host = cluster.pick(PickRequest()) else { return completion(.failure(.noEndpoint(name))) }
        let version: HTTPVersion = isGRPC || cluster.compiled.cluster.httpProtocol == .http2 ? .http2 : .http1
        cluster.compiled.shared.requestsTotal.wrappingAdd(1, ordering: .relaxed)
        let pool = cluster.pool(for: host, version: version)
        let waiter = PoolWaiter { [weak self] result in
            self?.waiter = nil
            guard case .success(let connection) = result, let stream = connection.open(receiver) else {
                return completion(.failure(.connect))
            }
            completion(.success(stream))
        }
        self.pool = pool
        self.waiter = waiter
        pool.acquire(waiter)
    }

    func cancel() {
        if let waiter { pool?.cancel(waiter) }
        waiter = nil
    }
}

/// What the proxy's own requests say about themselves, as Envoy's do.
enum OwnRequest {
    /// - Parameter localIP: Of the connection that the request is made for; empty is not told.
    static func mark(_ head: inout RequestHead, localIP: String = "") {
        head.headers.set("x-envoy-internal", "true")
        if !localIP.isEmpty { head.headers.set(.forwardedFor, localIP) }
    }

    /// The head of a gRPC call.
    /// - Parameter timeoutMilliseconds: Told to the server; 0 is no limit.
    static func grpc(
        _ method: String, to target: GRPCServiceTarget, timeoutMilliseconds: UInt64, metadata: [(String, String)]
    ) -> RequestHead {
        var fields = [("te", "trailers")]
        if timeoutMilliseconds > 0 { fields.append(("grpc-timeout", grpcTimeout(timeoutMilliseconds))) }
        fields.append(("content-type", "application/grpc"))
        fields += metadata
        return RequestHead(
            method: .post, path: ByteBuffer(string: method),
            authority: ByteBuffer(string: target.authority.isEmpty ? target.cluster : target.authority),
            version: .http2, headers: HeaderBlock(fields))
    }

    /// At most eight digits and a unit ("gRPC over HTTP2", Timeout).
    static func grpcTimeout(_ milliseconds: UInt64) -> String {
        milliseconds < 100_000_000 ? "\(milliseconds)m" : "\(min(milliseconds / 1_000, 99_999_999))S"
    }
}
