import Synchronization
package import WeftCore
package import WeftIR

/// How many downstream connections the proxy and its listeners take.
package struct ConnectionLimits: Sendable, Hashable {
    /// Of the whole proxy; `nil` is no limit.
    package var global: Int?
    /// By listener name.
    package var byListener: [String: Int] = [:]

    package init() {}

    private static let globalKey = "overload.global_downstream_max_connections"
    private static let listenerPrefix = "envoy.resource_limits.listener."
    private static let listenerSuffix = ".connection_limit"

    /// - Parameters:
    ///   - runtime: Runtime keys of the bootstrap: `overload.global_downstream_max_connections` and
    ///     `envoy.resource_limits.listener.NAME.connection_limit`.
    ///   - overload: Its monitor of downstream connections is stronger than the runtime key, as in Envoy.
    package init(runtime: [String: JSONValue], overload: Overload) {
        global = Self.number(runtime[Self.globalKey])
        for monitor in overload.monitors {
            if case .downstreamConnections(let limit) = monitor.resource { global = Int(clamping: limit) }
        }
        for (key, value) in runtime where key.hasPrefix(Self.listenerPrefix) && key.hasSuffix(Self.listenerSuffix) {
            let name = key.dropFirst(Self.listenerPrefix.count).dropLast(Self.listenerSuffix.count)
            byListener[String(name)] = Self.number(value)
        }
    }

    private static func number(_ value: JSONValue?) -> Int? {
        switch value {
        case .int(let number): number >= 0 ? Int(clamping: number) : nil
        case .string(let text): Int(text)
        default: nil
        }
    }
}

/// Counts of one listener's connections, whatever its sockets and snapshots are. Thread-safe.
final class ListenerCounts: Sendable {
    let active = Atomic<Int>(0)
    /// Closed at once: beyond the listener's own limit, the proxy's, or turned away by overload protection.
    let overflow = Atomic<Int>(0)
    let globalOverflow = Atomic<Int>(0)
    let overloadRejects = Atomic<Int>(0)
}

/// Lets connections in, or does not. One for the proxy; thread-safe, and an admission is a few atomic additions.
final class ConnectionGate: Sendable {
    let limits: ConnectionLimits
    /// Connections that count for the limit of the proxy.
    let active = Atomic<Int>(0)
    private let listeners = Mutex<[String: ListenerCounts]>([:])

    init(_ limits: ConnectionLimits) { self.limits = limits }

    func counts(of listener: String) -> ListenerCounts {
        listeners.withLock { known in
            if let counts = known[listener] { return counts }
            let made = ListenerCounts()
            known[listener] = made
            return made
        }
    }

    /// By listener name.
    var all: [String: ListenerCounts] { listeners.withLock { $0 } }

    /// Forgets listeners that are gone and have no connection left.
    func keep(_ names: some Collection<String>) {
        let names = Set(names)
        listeners.withLock { known in
            known = known.filter { names.contains($0.key) || $0.value.active.load(ordering: .relaxed) > 0 }
        }
    }

    /// Takes a place for a connection of the listener.
    /// - Parameter isExempt: The listener does not obey the limit of the proxy.
    /// - Returns: False when there is none; then nothing is to be given back.
    func enter(_ counts: ListenerCounts, limit: Int?, isExempt: Bool) -> Bool {
        let mine = counts.active.wrappingAdd(1, ordering: .relaxed).newValue
        if let limit, mine > limit {
            counts.active.wrappingSubtract(1, ordering: .relaxed)
            counts.overflow.wrappingAdd(1, ordering: .relaxed)
            return false
        }
        guard !isExempt else { return true }
        let all = active.wrappingAdd(1, ordering: .relaxed).newValue
        if let global = limits.global, all > global {
            counts.active.wrappingSubtract(1, ordering: .relaxed)
            active.wrappingSubtract(1, ordering: .relaxed)
            counts.globalOverflow.wrappingAdd(1, ordering: .relaxed)
            return false
        }
        return true
    }

    func leave(_ counts: ListenerCounts, isExempt: Bool) {
        counts.active.wrappingSubtract(1, ordering: .relaxed)
        if !isExempt { active.wrappingSubtract(1, ordering: .relaxed) }
    }
}
