import WeftConfig
import WeftIR

/// Retries: Istio's default, and what a VirtualService asks for.
enum RetryPolicies {
    private static let conditions = ["connect-failure", "refused-stream", "unavailable", "cancelled"]
    private static let statusCodes = "retriable-status-codes"

    /// Two more attempts on failures that cannot have reached the application. A 503 may come from the application, so
    /// that it is not among them, as in Istio since 1.24.
    static func standard(hashed: Bool = false) -> RetryPolicy {
        var policy = RetryPolicy(retryOn: conditions + [statusCodes])
        policy.numRetries = 2
        policy.hostSelectionRetryMaxAttempts = 5
        policy.avoidPreviousHosts = !hashed
        return policy
    }

    /// `nil` if retries are off (`attempts: 0`).
    static func build(_ retries: VirtualService.HTTPRetry?, mesh: MeshConfig, hashed: Bool) -> RetryPolicy? {
        let standard = standard(hashed: hashed)
        guard let retries = retries ?? mesh.defaultHttpRetryPolicy else { return standard }
        guard var policy = changed(standard, as: retries) else { return nil }
        policy.avoidPreviousHosts = retries.retryIgnorePreviousHosts ?? !hashed
        // Each second try leaves the priorities out that were tried before it.
        if retries.retryRemoteLocalities == true { policy.previousPrioritiesFrequency = 2 }
        return policy
    }

    /// What a sidecar sends to its workload: two more attempts where a connection that was kept is closed before
    /// anything was sent on it. A workload is one host: there is no other to choose. gRPC's streams are not tried again,
    /// as in Istio since 1.24.
    static func inbound(_ port: PortProtocol, mesh: MeshConfig) -> RetryPolicy? {
        guard port != .grpc, port != .grpcWeb else { return nil }
        var standard = RetryPolicy(retryOn: ["reset-before-request"])
        standard.numRetries = 2
        guard let retries = mesh.defaultInboundHttpRetryPolicy else { return standard }
        return changed(standard, as: retries)
    }

    /// `nil` if retries are off (`attempts: 0`).
    private static func changed(_ standard: RetryPolicy, as retries: VirtualService.HTTPRetry) -> RetryPolicy? {
        let attempts = retries.attempts ?? 2
        guard attempts > 0 else { return nil }
        var policy = standard
        policy.numRetries = UInt32(clamping: attempts)
        if let list = retries.retryOn, !list.isEmpty { apply(list, to: &policy) }
        if let timeout = retries.perTryTimeout, timeout.nanoseconds > 0 {
            policy.perTryTimeoutMilliseconds = timeout.milliseconds
        }
        if let backoff = retries.backoff { policy.backOffBaseMilliseconds = backoff.milliseconds }
        return policy
    }

    /// Numbers in the list are status codes.
    private static func apply(_ list: String, to policy: inout RetryPolicy) {
        policy.retryOn = []
        policy.retriableStatusCodes = []
        for part in list.split(separator: ",") {
            let word = String(part.filter { $0 != " " })
            if let code = UInt16(word) {
                policy.retriableStatusCodes.append(code)
            } else if !word.isEmpty {
                policy.retryOn.append(word)
            }
        }
        if !policy.retriableStatusCodes.isEmpty, !policy.retryOn.contains(statusCodes) {
            policy.retryOn.append(statusCodes)
        }
    }
}
