import CWeftLinux
import FoundationEssentials
import Synchronization
import WeftIR
import WeftRouting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Measures the resources of ``Overload`` and has the data plane act on them.
struct OverloadWatch: Sendable {
    private let settings: Overload
    private let rules: OverloadRules
    private let plane: DataPlane
    /// While memory is short, free pages are given back this often, as in Envoy.
    private static let shrinkInterval = Duration.seconds(10)

    /// - Returns: `nil` when nothing is to be watched.
    init?(_ settings: Overload, _ plane: DataPlane) {
        guard !settings.monitors.isEmpty else { return nil }
        self.settings = settings
        rules = OverloadRules(settings)
        self.plane = plane
    }

    /// Looks until the task is cancelled.
    func run() async {
        var isPaused = false
        var shrunk: ContinuousClock.Instant?
        repeat {
            var pressures: [String: Double] = [:]
            for monitor in settings.monitors {
                if let pressure = pressure(monitor.resource) {
                    pressures[monitor.name] = pressure
                } else {
                    plane.overload.failed(monitor.name)
                }
            }
            let levels = rules.levels(pressures)
            plane.overload.set(levels, pressures: pressures)
            let pauses = (levels[.stopAcceptingConnections] ?? 0) >= 1
            if pauses != isPaused { await plane.pauseAccepting(pauses) }
            isPaused = pauses
            let isShort = (levels[.shrinkHeap] ?? 0) >= 1
            if isShort, shrunk.map({ ContinuousClock.now - $0 >= Self.shrinkInterval }) ?? true {
                shrunk = .now
                weft_release_memory()
            }
            if !isShort { shrunk = nil }
            if let level = levels[.resetHighMemoryStream], level > 0 { await plane.resetStreams(level) }
        } while (try? await Task.sleep(for: .milliseconds(settings.refreshMilliseconds))) != nil
    }

    /// - Returns: `nil` when the resource cannot be measured; the measures stay as its last value had them not.
    private func pressure(_ resource: Overload.Resource) -> Double? {
        switch resource {
        case .fixedHeap(let limit): Self.heapBytes().map { Double($0) / Double(limit) }
        case .downstreamConnections(let limit):
            Double(plane.gate.active.load(ordering: .relaxed)) / Double(limit)
        case .injected(let path):
            (try? String(contentsOf: URL(filePath: path), encoding: .utf8)).flatMap {
                Double($0.trimmingSpaces().filter { $0 != "\n" })
            }
        }
    }

    /// Memory of this process that no file backs: what it holds and what its allocator keeps for later.
    private static func heapBytes() -> UInt64? {
        guard let text = try? String(contentsOf: URL(filePath: "/proc/self/statm"), encoding: .utf8) else { return nil }
        let fields = text.split(separator: " ").compactMap { UInt64($0) }
        guard fields.count > 2, fields[1] >= fields[2] else { return nil }
        return (fields[1] - fields[2]) * UInt64(sysconf(CInt(_SC_PAGESIZE)))
    }
}
