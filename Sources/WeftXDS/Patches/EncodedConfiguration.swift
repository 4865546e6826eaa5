import SwiftProtobuf
package import WeftIR

/// A configuration in the form that goes over the wire, users' patches applied.
package struct EncodedConfiguration: Sendable {
    package private(set) var resources: [ResourceType: [String: EncodedResource]] = [:]
    /// Name of the load assignment that a cluster's endpoints come from, for those that use EDS.
    package private(set) var assignmentOfCluster: [String: String] = [:]
    package private(set) var patchReport = PatchReport()

    package init(_ configuration: ProxyConfiguration, target: Target) throws {
        let encoder = XDSEncoder(target: target)
        var wire: [ResourceType: [String: Google_Protobuf_Any]] = [
            .listener: try configuration.listeners.mapValues { try encoder.encode($0) },
            .scope: try configuration.scopes.mapValues { try encoder.encode($0) },
            .route: try configuration.routes.mapValues { try encoder.encode($0) },
            .cluster: try configuration.clusters.mapValues { try encoder.encode($0) },
            .endpoint: try configuration.endpoints.mapValues { try encoder.encode($0) },
            .secret: try configuration.secrets.mapValues { try encoder.encode($0) },
        ]
        if let names = configuration.names { wire[.names] = [NameTable.resourceName: try encoder.encode(names)] }
        if !configuration.patches.isEmpty {
            var patcher = ResourcePatcher(wire, target: target)
            patcher.apply(configuration.patches)
            patchReport = patcher.report
            wire = patcher.resources
        }
        resources = wire.mapValues { $0.mapValues(EncodedResource.init(any:)) }
        assignmentOfCluster = Self.assignments(wire[.cluster] ?? [:], configuration)
    }

    private static func assignments(
        _ clusters: [String: Google_Protobuf_Any], _ configuration: ProxyConfiguration
    ) -> [String: String] {
        guard !configuration.patches.isEmpty else { return configuration.clusters.compactMapValues(\.assignmentName) }
        let decoder = XDSDecoder()
        var names: [String: String] = [:]
        for (name, any) in clusters {
            guard case .cluster(let cluster)? = try? decoder.decode(any).value else {
                // An extension in it is Envoy's alone.
                names[name] = configuration.clusters[name]?.assignmentName
                continue
            }
            names[name] = cluster.assignmentName
        }
        return names
    }
}
