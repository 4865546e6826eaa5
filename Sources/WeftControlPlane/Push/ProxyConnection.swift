import WeftXDS

/// What the push loop knows of one connected proxy.
struct ProxyConnection: Sendable {
    let session: ProxySession
    var keys: [ShareKey] = []
    /// What was published last; `nil` before the first time.
    var snapshot: XDSSnapshot?
    /// The number of that publication.
    var published: UInt64 = 0
    /// The newest snapshot number for which that publication is still right.
    var current: UInt64 = 0
    /// The number of the last publication that was sent in full.
    var delivered: UInt64 = 0
    /// The newest snapshot number that the proxy has taken up.
    private(set) var confirmed: UInt64 = 0
    var types: [ResourceType: TypeSync] = [:]
    /// The proxy's words about resources that it refused, by name; all of a response where it named none.
    private(set) var rejections: [ResourceType: [String: String]] = [:]
    /// Those of them that only were in a response of which the proxy did not say what it refused.
    private var suspects: [ResourceType: Set<String>] = [:]
    /// Names in responses that have not been answered.
    private var unanswered: [String: [String]] = [:]

    init(session: ProxySession) { self.session = session }

    mutating func didSend(_ nonce: String, _ type: ResourceType, names: [String], at now: ContinuousClock.Instant) {
        types[type, default: TypeSync()].didSend(nonce, at: now)
        unanswered[nonce] = names
    }

    /// - Returns: how long the proxy took, if this confirms the newest of the type.
    mutating func didAcknowledge(_ nonce: String, _ type: ResourceType, at now: ContinuousClock.Instant) -> Duration? {
        for name in unanswered.removeValue(forKey: nonce) ?? [] { rejections[type]?[name] = nil }
        for name in suspects.removeValue(forKey: type) ?? [] { rejections[type]?[name] = nil }
        let took = types[type, default: TypeSync()].didAcknowledge(nonce, at: now)
        confirm()
        return took
    }

    /// - Returns: names of the refused resources, if the message tells.
    mutating func didReject(_ nonce: String, _ type: ResourceType, message: String) -> [String] {
        types[type, default: TypeSync()].didReject(nonce, message)
        let sent = unanswered.removeValue(forKey: nonce) ?? []
        let refused = RejectionOrigin.refusals(in: message, among: sent)
        for name in sent { rejections[type]?[name] = nil }
        suspects[type]?.subtract(sent)
        if refused.isEmpty {
            // A response without resources is refused for what it takes away.
            for name in sent.isEmpty ? [""] : sent {
                rejections[type, default: [:]][name] = "\(message) (it names none of the \(sent.count) resources sent)"
                suspects[type, default: []].insert(name)
            }
        }
        for (name, words) in refused { rejections[type, default: [:]][name] = words }
        return refused.keys.sorted()
    }

    mutating func didDeliver(_ number: UInt64) {
        delivered = max(delivered, number)
        confirm()
    }

    /// The last publication is right for this snapshot too.
    mutating func isCurrent(for number: UInt64) {
        current = number
        confirm()
    }

    /// Everything that was published has been sent and taken: so the proxy has what the newest snapshot asks for.
    private mutating func confirm() {
        guard delivered == published, types.values.allSatisfy(\.isSynced) else { return }
        confirmed = current
    }
}
