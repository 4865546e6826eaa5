import Synchronization
import WeftConfig
import WeftCore

/// Who has which address: pods, whether they have a sidecar and a Service or not. Proxies ask for clients that they know
/// nothing of. Thread-safe.
///
/// The index is made at most once a second, and only when somebody asks: a thousand proxies cost one look at all pods.
final class ClientDirectory: Sendable {
    private struct State {
        var made: Int64?
        /// `null` is an address that several pods have, or may have.
        var byAddress: [String: JSONValue] = [:]
    }
    private let state = Mutex(State())
    private let pods: @Sendable () -> [KubernetesObject]
    private let now: @Sendable () -> Int64

    /// - Parameter now: Whole seconds.
    init(
        pods: @escaping @Sendable () -> [KubernetesObject],
        now: @escaping @Sendable () -> Int64 = { start.duration(to: .now).components.seconds }
    ) {
        self.pods = pods
        self.now = now
    }

    private static let start = ContinuousClock.now

    /// The workload as node metadata; `nil` for an address that no pod has, or several have (pods in their node's network
    /// share its addresses).
    func workload(at address: String) -> JSONValue? {
        let second = now()
        return state.withLock { state in
            if state.made != second {
                state.byAddress = Self.index(pods())
                state.made = second
            }
            guard let found = state.byAddress[address], found != .null else { return nil }
            return found
        }
    }

    private static func index(_ pods: [KubernetesObject]) -> [String: JSONValue] {
        var found: [String: JSONValue] = [:]
        for pod in pods where pod.deletionTimestamp == nil {
            let status = pod.json["status"]
            guard !["Succeeded", "Failed"].contains(status?["phase"]?.stringValue ?? "") else { continue }
            let addresses = (status?["podIPs"]?.arrayValue ?? []).compactMap { $0["ip"]?.stringValue }
            let isShared = pod.json[path: "spec", "hostNetwork"] == true
            for address in Set(addresses + [status?["podIP"]?.stringValue ?? ""]) where !address.isEmpty {
                let isTaken = found[address] != nil
                found[address] = isShared || isTaken ? .null : metadata(of: pod)
            }
        }
        return found
    }

    /// The labels that name an app and its version; no other leaves the control plane.
    private static let names: Set<String> = [
        "service.istio.io/canonical-name", "service.istio.io/canonical-revision", "app.kubernetes.io/name",
        "app.kubernetes.io/version", "app", "version",
    ]

    private static func metadata(of pod: KubernetesObject) -> JSONValue {
        [
            "WORKLOAD_NAME": .string(WorkloadDocument.workload(of: pod)), "NAMESPACE": .string(pod.namespace),
            "LABELS": .object(pod.labels.filter { names.contains($0.key) }.mapValues(JSONValue.string)),
        ]
    }
}
