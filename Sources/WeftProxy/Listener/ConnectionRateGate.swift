import NIOCore
import SwiftProtobuf
import Synchronization
import WeftHTTP
import WeftIR
import WeftProto
import WeftRouting
import WeftTransport

/// A network filter that lets a connection in or not: by a bucket of its own, or by a rate limit service.
///
/// Thread-safe; outlives the snapshots in which the filter stays.
final class ConnectionRateGate: Sendable {
    private typealias Question = Envoy_Service_Ratelimit_V3_RateLimitRequest
    private typealias Answer = Envoy_Service_Ratelimit_V3_RateLimitResponse
    private enum Kind {
        case bucket(ConnectionRateLimit, TokenBucket)
        case service(ConnectionQuota)
    }
    private let kind: Kind
    private let total = Atomic<Int>(0)
    private let ok = Atomic<Int>(0)
    private let refused = Atomic<Int>(0)
    private let failed = Atomic<Int>(0)
    private let allowedByFailure = Atomic<Int>(0)
    private let closed = Atomic<Int>(0)

    /// - Returns: `nil` for a filter of another kind.
    init?(_ filter: NetworkFilter) {
        switch filter {
        case .connectionRateLimit(let limit): kind = .bucket(limit, TokenBucket(limit.bucket))
        case .connectionQuota(let quota): kind = .service(quota)
        default: return nil
        }
    }

    /// Counters by Envoy's names: the prefix, the filter's own, and the values.
    var counts: (filter: String, prefix: String, values: [(String, Int)]) {
        switch kind {
        case .bucket(let limit, _):
            return ("local_rate_limit", limit.statPrefix, [("rate_limited", refused.load(ordering: .relaxed))])
        case .service(let quota):
            return (
                "ratelimit", quota.statPrefix,
                [
                    ("total", total.load(ordering: .relaxed)), ("ok", ok.load(ordering: .relaxed)),
                    ("over_limit", refused.load(ordering: .relaxed)), ("error", failed.load(ordering: .relaxed)),
                    ("failure_mode_allowed", allowedByFailure.load(ordering: .relaxed)),
                    ("cx_closed", closed.load(ordering: .relaxed)),
                ]
            )
        }
    }

    /// - Parameter completion: Called on the connection's loop with why it is refused, or `nil`; not at all when the
    ///   connection went away before.
    func ask(
        _ info: ConnectionInfo, _ worker: Worker, _ channel: any Channel, completion: @escaping (String?) -> Void
    ) {
        switch kind {
        case .bucket(let limit, let bucket):
            let now = Int64(clamping: NIODeadline.now().uptimeNanoseconds)
            guard limit.isEnabled, !bucket.consume(now: now) else { return completion(nil) }
            refused.wrappingAdd(1, ordering: .relaxed)
            completion("local_ratelimit_close_over_limit")
        case .service(let quota): ask(quota, info, worker, channel, completion)
        }
    }

    private func ask(
        _ quota: ConnectionQuota, _ info: ConnectionInfo, _ worker: Worker, _ channel: any Channel,
        _ completion: @escaping (String?) -> Void
    ) {
        total.wrappingAdd(1, ordering: .relaxed)
        var call: ClusterCall?
        let hold = HoldHandler { call?.cancel() }
        guard (try? channel.pipeline.syncOperations.addHandler(hold)) != nil else { return }
        var request = OwnRequest.grpc(
            "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit", to: quota.service,
            timeoutMilliseconds: quota.timeoutMilliseconds,
            metadata: quota.service.initialMetadata.map { ($0.name, $0.value) })
        OwnRequest.mark(&request, localIP: info.localIP)
        let question = question(quota, info, worker)
        let body = (try? question.serializedBytes() as [UInt8]) ?? []
        call = ClusterCall.start(
            request, body: GRPCFrame.frame(body), cluster: quota.service.cluster, on: worker,
            timeoutMilliseconds: quota.timeoutMilliseconds, limit: GRPCAnswer.limit, isGRPC: true
        ) { [self] result in
            let refusal = judge(GRPCAnswer.message(result, as: Answer.self), quota)
            hold.release { completion(refusal) }
        }
    }

    private func question(_ quota: ConnectionQuota, _ info: ConnectionInfo, _ worker: Worker) -> Question {
        var question = Question()
        question.domain = quota.domain
        question.descriptors = quota.descriptors.map { entries in
            var descriptor = Envoy_Extensions_Common_Ratelimit_V3_RateLimitDescriptor()
            descriptor.entries = entries.map { entry in
                var wire = Envoy_Extensions_Common_Ratelimit_V3_RateLimitDescriptor.Entry()
                wire.key = entry.key
                let template = entry.value.contains("%") ? worker.formats.template(entry.value) : nil
                wire.value =
                    template.map { LogContext(info, ConnectionRecord()).expand($0, missing: "") } ?? entry.value
                return wire
            }
            return descriptor
        }
        return question
    }

    private func judge(_ result: Result<Answer, GRPCCallFailure>, _ quota: ConnectionQuota) -> String? {
        switch result {
        case .success(let answer) where answer.overallCode == .ok:
            ok.wrappingAdd(1, ordering: .relaxed)
            return nil
        case .success(let answer) where answer.overallCode == .overLimit:
            refused.wrappingAdd(1, ordering: .relaxed)
            closed.wrappingAdd(1, ordering: .relaxed)
            return "ratelimit_close_over_limit"
        case .success, .failure:
            failed.wrappingAdd(1, ordering: .relaxed)
            guard quota.failureModeDenies else {
                allowedByFailure.wrappingAdd(1, ordering: .relaxed)
                return nil
            }
            closed.wrappingAdd(1, ordering: .relaxed)
            return "ratelimit_error"
        }
    }
}
