import NIOCore
import SwiftProtobuf
import Synchronization
import WeftHTTP
import WeftIR
import WeftProto
import WeftRouting
import WeftTransport

/// A network filter that asks an authorization service about each connection, before anything of it goes on
/// (`envoy.service.auth.v3.Authorization`).
///
/// Thread-safe; outlives the snapshots in which the filter stays.
final class ConnectionAuthorizer: Sendable {
    let settings: ConnectionAuthorization
    private let enabled: CompiledMetadataMatcher?
    private let total = Atomic<Int>(0)
    private let ok = Atomic<Int>(0)
    private let denied = Atomic<Int>(0)
    private let failed = Atomic<Int>(0)
    private let allowedByFailure = Atomic<Int>(0)
    private let disabled = Atomic<Int>(0)
    private let closed = Atomic<Int>(0)

    /// What an access log says of a connection that was refused.
    static let refusal = "ext_authz_close"

    init(_ settings: ConnectionAuthorization) {
        self.settings = settings
        enabled = settings.enabledMetadata.map { CompiledMetadataMatcher($0) }
    }

    /// Counters by Envoy's names, under `ext_authz.PREFIX.`.
    var counts: [(String, Int)] {
        [
            ("total", total.load(ordering: .relaxed)), ("ok", ok.load(ordering: .relaxed)),
            ("denied", denied.load(ordering: .relaxed)), ("error", failed.load(ordering: .relaxed)),
            ("failure_mode_allowed", allowedByFailure.load(ordering: .relaxed)),
            ("disabled", disabled.load(ordering: .relaxed)), ("cx_closed", closed.load(ordering: .relaxed)),
        ]
    }

    /// - Parameters:
    ///   - metadata: What filters before this one have said of the connection.
    ///   - completion: Called on the connection's loop with whether it may pass; not at all when it went away before.
    func ask(
        _ connection: DownstreamConnection, _ metadata: [String: DynamicValue], completion: @escaping (Bool) -> Void
    ) {
        if let enabled, !enabled.matches(metadata) {
            disabled.wrappingAdd(1, ordering: .relaxed)
            return completion(true)
        }
        total.wrappingAdd(1, ordering: .relaxed)
        let (info, worker) = (connection.info, connection.worker)
        var call: ClusterCall?
        let hold = HoldHandler { call?.cancel() }
        guard (try? connection.channel.pipeline.syncOperations.addHandler(hold)) != nil else { return }
        let timeout = settings.service.timeoutMilliseconds ?? 200
        var request = OwnRequest.grpc(
            "/envoy.service.auth.v3.Authorization/Check", to: settings.service, timeoutMilliseconds: timeout,
            metadata: settings.service.initialMetadata.map { ($0.name, $0.value) })
        OwnRequest.mark(&request, localIP: info.localIP)
        let body = (try? question(info, worker).serializedBytes() as [UInt8]) ?? []
        call = ClusterCall.start(
            request, body: GRPCFrame.frame(body), cluster: settings.service.cluster, on: worker,
            timeoutMilliseconds: timeout, limit: GRPCAnswer.limit, isGRPC: true
        ) { [self] result in
            let mayPass = judge(GRPCAnswer.message(result, as: Envoy_Service_Auth_V3_CheckResponse.self))
            hold.release { completion(mayPass) }
        }
    }

    private func question(_ info: ConnectionInfo, _ worker: Worker) -> Envoy_Service_Auth_V3_CheckRequest {
        var check = Envoy_Service_Auth_V3_CheckRequest()
        check.attributes.source.address.socketAddress.address = info.remoteIP
        check.attributes.source.address.socketAddress.portValue = UInt32(info.remotePort)
        check.attributes.destination.address.socketAddress.address = info.destinationIP
        check.attributes.destination.address.socketAddress.portValue = UInt32(info.destinationPort)
        if let peer = info.peer {
            check.attributes.source.principal = peer.principal ?? peer.subject
            if settings.includesPeerCertificate {
                check.attributes.source.certificate = Exchange.percentEncodedPEM(peer.certificateDER)
            }
        }
        if info.isTLS, let own = worker.localPrincipal { check.attributes.destination.principal = own }
        if settings.includesTLSSession, info.isTLS { check.attributes.tlsSession.sni = info.serverName }
        return check
    }

    private func judge(_ result: Result<Envoy_Service_Auth_V3_CheckResponse, GRPCCallFailure>) -> Bool {
        switch result {
        case .success(let answer) where answer.status.code == 0:
            ok.wrappingAdd(1, ordering: .relaxed)
            return true
        case .success:
            denied.wrappingAdd(1, ordering: .relaxed)
            closed.wrappingAdd(1, ordering: .relaxed)
            return false
        case .failure:
            failed.wrappingAdd(1, ordering: .relaxed)
            if settings.failureModeAllows {
                allowedByFailure.wrappingAdd(1, ordering: .relaxed)
                return true
            }
            closed.wrappingAdd(1, ordering: .relaxed)
            return false
        }
    }
}
