import FoundationEssentials
import Logging
import WeftConfig
import WeftCore

/// Makes one of several processes the leader, with a Lease that the leader renews.
///
/// Simple: good for work that may overlap for a moment when a leader stalls.
package struct LeaderElection: Sendable {
    private let client: KubernetesClient
    private let namespace: String
    private let name: String
    private let identity: String
    private let duration: Duration
    private let goesBefore: @Sendable (_ holder: String) -> Bool

    /// - Parameters:
    ///   - identity: What the holder is called in the Lease.
    ///   - duration: How long a holder that says nothing keeps it.
    ///   - goesBefore: Whether the lease is taken from this holder even while it renews it.
    package init(
        client: KubernetesClient, namespace: String, name: String, identity: String, duration: Duration = .seconds(15),
        goesBefore: @escaping @Sendable (_ holder: String) -> Bool = { _ in false }
    ) {
        self.client = client
        self.namespace = namespace
        self.name = name
        self.identity = identity
        self.duration = duration
        self.goesBefore = goesBefore
    }

    /// Waits for the lease, runs `body` while holding it, and starts over when it is lost. Ends when the task does; the
    /// lease is given back then, so that nobody has to wait for it to run out.
    package func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        do {
            try await takePart(body)
        } catch {
            // In a task of its own: a cancelled one cannot say goodbye.
            await Task { await release() }.value
            throw error
        }
    }

    private func takePart(_ body: @escaping @Sendable () async throws -> Void) async throws {
        while true {
            try Task.checkCancellation()
            guard (try? await acquire()) == true else {
                try await Task.sleep(for: duration / 5)
                continue
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await body() }
                group.addTask { try await renew() }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    /// Renews until the lease is lost.
    private func renew() async throws {
        var lastSuccess = ContinuousClock.now
        while ContinuousClock.now - lastSuccess < duration {
            try await Task.sleep(for: duration / 5)
            do {
                guard try await acquire() else { return }
                lastSuccess = .now
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                client.logger.debug("lease \(namespace)/\(name): \(error)")
            }
        }
    }

    /// Gives the lease back if it is ours. A server that cannot be reached lets it run out.
    private func release() async {
        do {
            var lease = try await client.get(.leases, namespace: namespace, name: name)
            guard lease.json[path: "spec", "holderIdentity"]?.stringValue == identity else { return }
            lease.json[path: "spec", "holderIdentity"] = ""
            _ = try await client.update(.leases, lease)
        } catch {
            client.logger.debug("lease \(namespace)/\(name) not given back: \(error)")
        }
    }

    /// Takes or renews the lease; `false` when another holds it.
    func acquire(now: Date = Date()) async throws -> Bool {
        let seconds = Int64(duration.components.seconds)
        let spec: JSONValue = [
            "holderIdentity": .string(identity), "leaseDurationSeconds": .int(seconds),
            "renewTime": .string(Self.time(now)),
        ]
        do {
            var lease = try await client.get(.leases, namespace: namespace, name: name)
            let present = lease.json["spec"] ?? .null
            let holder = present["holderIdentity"]?.stringValue ?? ""
            guard Self.mayTake(present, as: identity, now: now) || goesBefore(holder) else { return false }
            lease.json["spec"] = spec
            _ = try await client.update(.leases, lease)
            return true
        } catch let error as KubernetesError where error.isNotFound {
            let lease: JSONValue = [
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": ["name": .string(name), "namespace": .string(namespace)], "spec": spec,
            ]
            _ = try await client.create(.leases, KubernetesObject(lease))
            return true
        } catch let error as KubernetesError where error.isConflict || error.isAlreadyExists {
            return false
        }
    }

    /// Whether a lease is ours, free or expired.
    static func mayTake(_ spec: JSONValue, as identity: String, now: Date) -> Bool {
        guard let holder = spec["holderIdentity"]?.stringValue, !holder.isEmpty, holder != identity else { return true }
        guard let renewed = spec["renewTime"]?.stringValue.flatMap(date),
            let seconds = spec["leaseDurationSeconds"]?.doubleValue
        else { return true }
        return now.timeIntervalSince(renewed) > seconds
    }

    static func time(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    static func date(_ text: String) -> Date? {
        let seconds = text.prefix { $0 != "." && $0 != "Z" }
        return try? Date(String(seconds) + "Z", strategy: .iso8601)
    }
}
