import NIOCore

/// How connections are asked to go (`--drain-strategy`).
package enum DrainStrategy: String, Sendable {
    /// Every answer closes its connection with a likelihood that grows to 1 over the drain time.
    case gradual
    /// Every answer closes its connection, and HTTP/2 says so at once.
    case immediate
    /// As ``immediate``, and idle connections close at once: for the end of the proxy, when nobody is to come back.
    case idleFirst
}

/// How long and in which way connections are drained.
package struct DrainSettings: Sendable {
    package var strategy = DrainStrategy.immediate
    /// Seconds (`--drain-time-s`); what is connected then is closed. As Istio's proxies: 45.
    package var seconds = 45
    package init() {}
}

/// A drain that is under way. Pure but for the clock that it is given.
struct DrainState {
    let settings: DrainSettings
    let started: NIODeadline

    private var span: TimeAmount { .seconds(Int64(max(0, settings.seconds))) }
    var end: NIODeadline { started + span }

    /// Whether the answer of this moment ends its connection.
    /// - Parameter random: Any number, all equally likely.
    func closes(at now: NIODeadline, random: UInt64) -> Bool {
        guard settings.strategy == .gradual, now < end else { return true }
        let elapsed = UInt64(max(0, (now - started).nanoseconds))
        return random % UInt64(max(1, span.nanoseconds)) < elapsed
    }
}
