import Foundation
package import SwiftProtobuf
package import WeftIR

/// One resource as it goes over the wire, with a version made from its bytes: equal resources have equal versions.
///
/// Equal resources of a process are one in memory, whoever made them: most of a mesh's clusters and endpoints are the
/// same for every class of proxies.
package struct EncodedResource: Sendable, Hashable {
    /// What is shared.
    final class Body: Sendable {
        let version: String
        let any: Google_Protobuf_Any

        init(version: String, any: Google_Protobuf_Any) {
            self.version = version
            self.any = any
        }
    }
    private let body: Body
    package var version: String { body.version }
    package var any: Google_Protobuf_Any { body.any }

    private static let pool = BodyPool()

    package init(any: Google_Protobuf_Any) {
        var fingerprint = Fingerprint()
        fingerprint.add(any.value)
        body = Self.pool.body(fingerprint.state, any)
    }

    package static func == (left: EncodedResource, right: EncodedResource) -> Bool {
        left.body === right.body || left.version == right.version && left.any == right.any
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(body.version) }

    /// A number for this resource under its name, to be added up with others'.
    func digest(of name: String) -> UInt64 {
        var fingerprint = Fingerprint(name.utf8)
        fingerprint.add(version.utf8)
        return fingerprint.state
    }
}

/// Everything that one proxy should have, encoded: what subscriptions compare a client's state with.
///
/// Made of shares, which other proxies' snapshots have too; a name that two shares have is the first one's.
package struct XDSSnapshot: Sendable, Hashable {
    package let shares: [ResourceShare]

    package static let empty = XDSSnapshot(shares: [])

    package init(shares: [ResourceShare]) { self.shares = shares }

    package init(resources: [ResourceType: [String: EncodedResource]], assignmentOfCluster: [String: String] = [:]) {
        shares = [ResourceShare(resources: resources, assignmentOfCluster: assignmentOfCluster)]
    }

    /// Encodes a whole configuration for one target.
    package init(_ configuration: ProxyConfiguration, target: Target) throws {
        shares = [try ResourceShare(configuration, target: target)]
    }

    /// All resources of a type by name. Costs as much as there are; ask by name where one will do.
    package subscript(type: ResourceType) -> [String: EncodedResource] {
        guard shares.count > 1 else { return shares.first?.resources[type] ?? [:] }
        return shares.reduce(into: [:]) { all, share in
            all.merge(share.resources[type] ?? [:]) { first, _ in first }
        }
    }

    package subscript(type: ResourceType, name: String) -> EncodedResource? {
        for share in shares {
            if let resource = share.resources[type]?[name] { return resource }
        }
        return nil
    }

    /// How many resources of a type there are.
    package func count(of type: ResourceType) -> Int { shares.reduce(0) { $0 + ($1.resources[type]?.count ?? 0) } }

    /// Name of the load assignment that a cluster's endpoints come from; `nil` if it does not use EDS.
    func assignment(ofCluster name: String) -> String? {
        for share in shares {
            if let assignment = share.assignmentOfCluster[name] { return assignment }
        }
        return nil
    }

    /// Names of a type that may not be the same in both; each at least once.
    func difference(from old: XDSSnapshot, _ type: ResourceType) -> [String] {
        guard shares.count == old.shares.count else {
            return Array(self[type].keys) + Array(old[type].keys)
        }
        return zip(shares, old.shares).flatMap { $0.difference(from: $1, type) }
    }

    /// The name as the snapshot has it stored, so that many clients' lists of names share one text.
    func interned(_ name: String, _ type: ResourceType) -> String {
        for share in shares {
            if let resources = share.resources[type], let index = resources.index(forKey: name) {
                return resources.keys[index]
            }
        }
        return name
    }

    /// A set of names as another client of the snapshot has it, so that clients that ask for the same hold one set.
    func sharing(_ names: Set<String>, _ type: ResourceType) -> Set<String> {
        shares.first?.sharing(names, type) ?? names
    }

    /// One version for all resources of a type (state of the world).
    package func version(of type: ResourceType) -> String {
        String(shares.reduce(0) { $0 &+ $1.digest(of: type) }, radix: 16)
    }
}

extension Cluster {
    /// The name under which EDS delivers this cluster's endpoints; `nil` if it does not use EDS.
    package var assignmentName: String? {
        guard case .eds(let serviceName) = discovery else { return nil }
        return serviceName.isEmpty ? name : serviceName
    }
}

/// FNV-1a, 64 bits: a stable fingerprint, no defence against an adversary.
struct Fingerprint {
    private(set) var state: UInt64 = 0xcbf2_9ce4_8422_2325

    init() {}
    init(_ bytes: some Sequence<UInt8>) { add(bytes) }

    mutating func add(_ bytes: some Sequence<UInt8>) {
        // Byte by byte through a sequence costs more than the arithmetic.
        let isContiguous: Void? = bytes.withContiguousStorageIfAvailable { storage in
            state = unsafe storage.reduce(state) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
        }
        guard isContiguous == nil else { return }
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    }

    var text: String { String(state, radix: 16) }
}
