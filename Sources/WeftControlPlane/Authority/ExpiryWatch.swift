import FoundationEssentials
import Logging
import Synchronization
import WeftCA
import WeftConfig
import WeftCore
import WeftKubernetes

/// Says in time what of the authority's certificates and revocation lists ends: as metrics at all times, and from the
/// last fifth of their time on in the log and as an Event of the Secret, once a day. Thread-safe.
final class ExpiryWatch: Sendable {
    private let authority: CurrentAuthority
    private let metrics: ControlPlaneMetrics
    private let logger: Logger
    /// When each was last told of.
    private let told = Mutex<[AuthorityExpiry: Date]>([:])
    /// Writes an Event; not called where another replica does.
    private let report: @Sendable (_ text: String) async -> Void

    private static let checkInterval = Duration.seconds(600)
    private static let repeatSeconds = 86_400.0

    init(
        authority: CurrentAuthority, metrics: ControlPlaneMetrics, logger: Logger,
        report: @escaping @Sendable (_ text: String) async -> Void
    ) {
        self.authority = authority
        self.metrics = metrics
        self.logger = logger
        self.report = report
    }

    /// Runs until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await check()
            do { try await Task.sleep(for: Self.checkInterval) } catch { return }
        }
    }

    /// Looks once, as after a change of the authority.
    func check(now: Date = Date()) async {
        let all: [AuthorityExpiry]
        do { all = try authority.value.expiries() } catch {
            return logger.error("the authority's certificates cannot be looked at: \(error)")
        }
        setMetrics(all)
        for expiry in due(all, now) {
            logger.warning("\(expiry.advice)")
            await report(expiry.advice)
        }
    }

    private func due(_ all: [AuthorityExpiry], _ now: Date) -> [AuthorityExpiry] {
        told.withLock { told in
            told = told.filter { all.contains($0.key) }
            return all.filter { expiry in
                guard expiry.isDue(at: now) else { return false }
                if let last = told[expiry], now.timeIntervalSince(last) < Self.repeatSeconds { return false }
                told[expiry] = now
                return true
            }
        }
    }

    /// Unix seconds, under Istio's names where Istio has one; the earliest end where there are several.
    private func setMetrics(_ all: [AuthorityExpiry]) {
        func end(_ kinds: Set<AuthorityExpiry.Kind>) -> Double? {
            all.first { kinds.contains($0.kind) }?.end.timeIntervalSince1970
        }
        let root = end([.root])
        metrics.set("citadel_server_root_cert_expiry_timestamp", root)
        metrics.set("citadel_server_cert_chain_expiry_timestamp", end([.signing, .intermediate]) ?? root)
        metrics.set("weft_ca_crl_expiry_timestamp", end([.revocations]))
    }
}

extension ExpiryWatch {
    /// A warning Event of the Secret that the authority was read from.
    static func event(_ text: String, about secret: KubernetesObject, now: Date = Date()) -> KubernetesObject {
        let time = JSONValue.string(now.formatted(.iso8601))
        return KubernetesObject([
            "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "TrustExpires", "message": .string(text),
            "metadata": [
                "generateName": .string("\(secret.name)."), "namespace": .string(secret.namespace),
            ],
            "involvedObject": [
                "apiVersion": "v1", "kind": "Secret", "namespace": .string(secret.namespace),
                "name": .string(secret.name), "uid": secret.json[path: "metadata", "uid"] ?? "",
            ],
            "source": ["component": "istiod"], "count": 1, "firstTimestamp": time, "lastTimestamp": time,
        ])
    }
}
