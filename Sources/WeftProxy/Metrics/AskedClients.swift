import WeftADS
import WeftCore

/// Clients that no configuration tells of, such as pods without a sidecar and without a Service: their workloads, as the
/// control plane says when it is asked for an address. Loop-confined value.
///
/// Nobody waits for an answer: requests that come before it are counted as from `unknown`. An answer holds until
/// ``renew()``, and as long as it is asked for again; an address may belong to another pod then.
struct AskedClients {
    /// Addresses that are asked for between two calls of ``renew()``.
    static let limit = 1024

    /// `nil` while nobody can be asked.
    var ask: (@Sendable (_ address: String) -> Bool)? {
        didSet { asked = [] }
    }
    private var asked: Set<String> = []
    private var known: [String: WorkloadLabels] = [:]

    init() {}

    /// What is known now; what is not, or not for sure, is asked.
    mutating func workload(at address: String) -> WorkloadLabels? {
        if let ask, !asked.contains(address), asked.count < Self.limit, ask(address) { asked.insert(address) }
        return known[address]
    }

    /// - Returns: whether it is another than was known before.
    mutating func learn(_ answer: ClientAnswer) -> Bool {
        guard asked.contains(answer.address) else { return false }
        let labels = answer.workload.map { WorkloadLabels(metadata: $0) }
        guard known[answer.address] != labels else { return false }
        known[answer.address] = labels
        return true
    }

    /// Answers may be out of date: who asks again lets the control plane be asked again, and what nobody asked for since
    /// the last time is forgotten.
    /// - Returns: whether somebody may have been told what is out of date.
    mutating func renew() -> Bool {
        guard !asked.isEmpty || !known.isEmpty else { return false }
        known = known.filter { asked.contains($0.key) }
        asked = []
        return true
    }
}
