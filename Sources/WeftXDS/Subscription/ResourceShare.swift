import Synchronization
package import WeftIR

/// Resources that a number of proxies have in common, encoded once. Immutable; safe to share.
///
/// A share knows how it differs from the one that it replaces, so that bringing a proxy from one to the other costs
/// what the difference is, not what the share is.
package final class ResourceShare: Sendable {
    package let resources: [ResourceType: [String: EncodedResource]]
    /// Name of the load assignment that a cluster's endpoints come from, for those that use EDS.
    package let assignmentOfCluster: [String: String]
    /// What became of users' patches.
    package let patchReport: PatchReport
    private let serial: UInt64
    private let predecessor: UInt64?
    private let changed: [ResourceType: [String]]
    private let digests: [ResourceType: UInt64]
    /// What the last client with many names asked for, by type.
    private let asked = Mutex<[ResourceType: Set<String>]>([:])

    private static let counter = Atomic<UInt64>(0)

    /// - Parameter old: the share that proxies have now and are to have this one instead of.
    package init(
        resources: [ResourceType: [String: EncodedResource]], assignmentOfCluster: [String: String] = [:],
        patchReport: PatchReport = PatchReport(), replacing old: ResourceShare? = nil
    ) {
        self.resources = resources
        self.assignmentOfCluster = assignmentOfCluster
        self.patchReport = patchReport
        serial = Self.counter.wrappingAdd(1, ordering: .relaxed).newValue
        predecessor = old?.serial
        var changed: [ResourceType: [String]] = [:]
        var digests: [ResourceType: UInt64] = [:]
        for type in ResourceType.allCases {
            let now = resources[type] ?? [:]
            guard let old else {
                digests[type] = now.reduce(0) { $0 &+ $1.value.digest(of: $1.key) }
                continue
            }
            let before = old.resources[type] ?? [:]
            let names = Self.difference(before, now)
            if !names.isEmpty { changed[type] = names }
            digests[type] = names.reduce(old.digests[type] ?? 0) { digest, name in
                digest &- (before[name]?.digest(of: name) ?? 0) &+ (now[name]?.digest(of: name) ?? 0)
            }
        }
        self.changed = changed
        self.digests = digests
    }

    /// Encodes a whole configuration for one target.
    package convenience init(
        _ configuration: ProxyConfiguration, target: Target, replacing old: ResourceShare? = nil
    ) throws {
        let encoded = try EncodedConfiguration(configuration, target: target)
        self.init(
            resources: encoded.resources, assignmentOfCluster: encoded.assignmentOfCluster,
            patchReport: encoded.patchReport, replacing: old)
    }

    /// Whether anything differs from the share that this one replaces; true if it replaces none.
    package var isNew: Bool { predecessor == nil || !changed.isEmpty }

    /// A number for all resources of a type: equal for equal resources, however they are divided into shares.
    func digest(of type: ResourceType) -> UInt64 { digests[type] ?? 0 }

    /// Names of a type that are not the same in both.
    func difference(from old: ResourceShare, _ type: ResourceType) -> [String] {
        if old.serial == serial { return [] }
        if old.serial == predecessor { return changed[type] ?? [] }
        return Self.difference(old.resources[type] ?? [:], resources[type] ?? [:])
    }

    /// The very set that another client asked for, if it has the same names.
    func sharing(_ names: Set<String>, _ type: ResourceType) -> Set<String> {
        asked.withLock { asked in
            if let known = asked[type], known == names { return known }
            asked[type] = names
            return names
        }
    }

    private static func difference(_ old: [String: EncodedResource], _ new: [String: EncodedResource]) -> [String] {
        var names = new.filter { old[$0.key]?.version != $0.value.version }.map(\.key)
        for name in old.keys where new[name] == nil { names.append(name) }
        return names
    }
}

extension ResourceShare: Hashable {
    /// Equal shares have equal resources.
    package static func == (left: ResourceShare, right: ResourceShare) -> Bool {
        left === right || left.resources == right.resources && left.assignmentOfCluster == right.assignmentOfCluster
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(digests) }
}
