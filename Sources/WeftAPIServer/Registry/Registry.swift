import Synchronization
import WeftConfig
import WeftCore

/// All resources served at this moment: the built-in ones and those of established definitions. Thread-safe.
final class Registry: Sendable {
    private let custom = Mutex<[String: ResourceInfo]>([:])
    private static let builtIn = Dictionary(
        BuiltInResources.all.map { ($0.storage, $0) }, uniquingKeysWith: { first, _ in first })

    /// - Parameter name: the definition's name.
    func set(_ info: ResourceInfo?, for name: String) { custom.withLock { $0[name] = info } }

    func info(_ storage: StorageID) -> ResourceInfo? {
        Self.builtIn[storage] ?? custom.withLock { $0["\(storage.resource).\(storage.group)"] }
    }

    var all: [ResourceInfo] {
        let custom = custom.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
        return BuiltInResources.all + custom
    }

    func info(kind: GroupVersionKind) -> ResourceInfo? {
        all.first { $0.group == kind.group && $0.kind == kind.kind && $0.versions.contains(kind.version) }
    }
}
