import Synchronization
import WeftIR
import WeftRouting

/// The route tables of a proxy, compiled: those that are served, and those that were only looked at so far.
///
/// A resource is compiled once, when it is checked; what is served takes it from here. A table that follows another of
/// its name keeps what did not change. Thread-safe; compiling holds no lock.
final class RouteTables: Sendable {
    private struct State {
        var served: [String: RouteTable] = [:]
        var checked: [String: RouteTable] = [:]
    }
    private let state = Mutex(State())

    /// The table of `configuration`, not in force yet.
    func check(_ configuration: RouteConfiguration) -> RouteTable {
        let table = table(configuration)
        state.withLock { $0.checked[configuration.name] = table }
        return table
    }

    /// Exactly these are in force from now on.
    func serve(_ configurations: [String: RouteConfiguration]) -> [String: RouteTable] {
        let tables = configurations.mapValues { table($0) }
        let old = state.withLock { state in
            defer { state = State(served: tables) }
            return state
        }
        // Freed here, where nobody waits, and not under the lock.
        withExtendedLifetime(old) {}
        return tables
    }

    private func table(_ configuration: RouteConfiguration) -> RouteTable {
        let (checked, served) = state.withLock { ($0.checked[configuration.name], $0.served[configuration.name]) }
        if let checked, checked.configuration == configuration { return checked }
        if let served, served.configuration == configuration { return served }
        return RouteTable(configuration, reusing: served)
    }
}
