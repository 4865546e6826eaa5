import Foundation
package import SwiftProtobuf
package import WeftIR

/// One resource as it goes over the wire, with a version made from its bytes: equal resources have equal versions.
package struct EncodedResource: Sendable, Hashable {
    package var version: String
    package var any: Google_Protobuf_Any

    package init(any: Google_Protobuf_Any) {
        self.version = Fingerprint(any.value).text
        self.any = any
    }
}

/// Everything that one proxy should have, encoded: what subscriptions compare a client's state with.
package struct XDSSnapshot: Sendable, Hashable {
    package private(set) var resources: [ResourceType: [String: EncodedResource]]
    /// Name of the load assignment that a cluster's endpoints come from.
    package private(set) var assignmentOfCluster: [String: String]
    /// What became of users' patches.
    package private(set) var patchReport = PatchReport()

    package static let empty = XDSSnapshot(resources: [:])

    package init(resources: [ResourceType: [String: EncodedResource]], assignmentOfCluster: [String: String] = [:]) {
        self.resources = resources
        self.assignmentOfCluster = assignmentOfCluster
    }

    /// Encodes a whole configuration for one target.
    package init(_ configuration: ProxyConfiguration, target: Target) throws {
        let encoded = try EncodedConfiguration(configuration, target: target)
        resources = encoded.resources
        assignmentOfCluster = encoded.assignmentOfCluster
        patchReport = encoded.patchReport
    }

    package subscript(type: ResourceType) -> [String: EncodedResource] { resources[type] ?? [:] }

    /// One version for all resources of a type (state of the world).
    package func version(of type: ResourceType) -> String {
        var fingerprint = Fingerprint()
        for (name, resource) in self[type].sorted(by: { $0.key < $1.key }) {
            fingerprint.add(name.utf8)
            fingerprint.add(resource.version.utf8)
        }
        return fingerprint.text
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
    private var state: UInt64 = 0xcbf2_9ce4_8422_2325

    init() {}
    init(_ bytes: some Sequence<UInt8>) { add(bytes) }

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    }

    var text: String { String(state, radix: 16) }
}
