import Synchronization
import WeftADS
import WeftCA
import WeftIR
import WeftXDS

/// What the agent knows about itself, for the health and admin pages. Thread-safe.
package final class AgentStatus: Sendable {
    private struct State {
        var hasCertificate = false
        var heard: Set<ResourceType> = []
        var isServing = false
        var isDraining = false
        var connected = false
        var lastProblem: String?
        var identity: WorkloadIdentity?
        var versions: [ResourceType: [String: String]] = [:]
        var ignoredFields: [String: Int] = [:]
    }
    private let state = Mutex(State())

    package init() {}

    /// The reason that the proxy cannot take traffic yet, or `nil` when it can.
    package var notReadyReason: String? {
        state.withLock { state in
            if state.isDraining { return "draining" }
            var missing: [String] = []
            if !state.hasCertificate { missing.append("no certificate yet") }
            if !state.heard.contains(.cluster) { missing.append("no clusters from the control plane yet") }
            if !state.heard.contains(.listener) { missing.append("no listeners from the control plane yet") }
            if missing.isEmpty, !state.isServing { missing.append("configuration is warming") }
            guard !missing.isEmpty else { return nil }
            return missing.joined(separator: ", ") + (state.lastProblem.map { " (\($0))" } ?? "")
        }
    }

    /// The same for an application that is its own data plane: what it needs is a certificate and a bootstrap.
    var reasonWithoutBootstrap: String? {
        state.withLock { state in
            if state.isDraining { return "draining" }
            if state.hasCertificate, state.isServing { return nil }
            let missing = state.hasCertificate ? "no bootstrap yet" : "no certificate yet"
            return missing + (state.lastProblem.map { " (\($0))" } ?? "")
        }
    }

    /// What went wrong last, until it is mended.
    var lastProblem: String? { state.withLock(\.lastProblem) }
    var identity: WorkloadIdentity? { state.withLock(\.identity) }
    var versions: [ResourceType: [String: String]] { state.withLock(\.versions) }
    /// How often each field came that has no effect here (`docs/xds-fields.md`).
    var ignoredFields: [String: Int] { state.withLock(\.ignoredFields) }
    var isConnected: Bool { state.withLock(\.connected) }

    func certificateArrived(_ identity: WorkloadIdentity) {
        state.withLock {
            $0.hasCertificate = true
            $0.identity = identity
            $0.lastProblem = nil
        }
    }

    func problem(_ text: String) { state.withLock { $0.lastProblem = text } }

    func connection(_ isUp: Bool, _ reason: String?) {
        state.withLock {
            $0.connected = isUp
            $0.lastProblem = isUp ? nil : reason
        }
    }

    func heard(_ update: ADSUpdate) {
        state.withLock { state in
            state.heard.insert(update.type)
            for name in update.ignoredFields { state.ignoredFields[name, default: 0] += 1 }
            for name in update.updated { state.versions[update.type, default: [:]][name] = update.version }
            for name in update.removed { state.versions[update.type]?[name] = nil }
        }
    }

    /// Fields of the bootstrap.
    func ignored(_ names: [String]) {
        state.withLock { state in
            for name in names { state.ignoredFields[name, default: 0] += 1 }
        }
    }

    func serving() { state.withLock { $0.isServing = true } }
    func draining() { state.withLock { $0.isDraining = true } }
}
