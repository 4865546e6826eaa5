import Synchronization
import WeftKubernetes

/// Whether this replica is the one that writes: status, roots and webhooks. Discovery and certificates are every
/// replica's work. Safe to read from anywhere.
final class Leadership: Sendable {
    private let state: Atomic<Bool>

    /// - Parameter isLeader: What holds until an election says otherwise.
    init(isLeader: Bool = false) { state = Atomic(isLeader) }

    var isLeader: Bool { state.load(ordering: .acquiring) }

    /// Takes part in the election until the task is cancelled.
    /// - Parameter begin: called whenever this replica becomes the leader; what was left undone is to be done now.
    func run(_ election: LeaderElection, begin: @escaping @Sendable () -> Void) async throws {
        try await election.run { [self] in
            state.store(true, ordering: .releasing)
            defer { state.store(false, ordering: .releasing) }
            begin()
            while true { try await Task.sleep(for: .seconds(3_600)) }
        }
    }
}
