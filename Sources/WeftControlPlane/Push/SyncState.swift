import WeftXDS

/// How far one proxy is with one type of resource.
struct TypeSync: Sendable, Hashable {
    var sent: String?
    var acked: String?
    /// The proxy's words when it refused what was sent last.
    var rejection: String?
    var sentAt: ContinuousClock.Instant?

    /// Istio's words for it.
    var status: String {
        if rejection != nil { return "REJECTED" }
        guard let sent else { return "NOT SENT" }
        return sent == acked ? "SYNCED" : "STALE"
    }

    /// Whether the proxy has taken what was sent last.
    var isSynced: Bool { rejection == nil && sent == acked }

    mutating func didSend(_ nonce: String, at now: ContinuousClock.Instant) {
        sent = nonce
        sentAt = now
        rejection = nil
    }

    /// - Returns: how long the proxy took, if this confirms the newest.
    mutating func didAcknowledge(_ nonce: String, at now: ContinuousClock.Instant) -> Duration? {
        acked = nonce
        guard nonce == sent else { return nil }
        rejection = nil
        return sentAt.map { now - $0 }
    }

    mutating func didReject(_ nonce: String, _ message: String) {
        // An answer to something older says nothing about the newest.
        if nonce == sent { rejection = message }
    }
}

extension ResourceType {
    /// The stem of Istio's field names in `/debug/syncz`.
    var field: String {
        switch self {
        case .cluster: "cluster"
        case .listener: "listener"
        case .endpoint: "endpoint"
        case .scope: "scope"
        case .route: "route"
        case .secret: "secret"
        case .names: "name_table"
        }
    }
}
