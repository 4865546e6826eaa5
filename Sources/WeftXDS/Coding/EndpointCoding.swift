import SwiftProtobuf
import WeftIR
import WeftProto

extension ClusterLoadAssignment {
    /// A locality without endpoints that only carries this key says why the assignment is empty, and whose it is.
    private static let noteKey = "weft.assignment"

    func wire(_ target: Target) -> WireAssignment {
        var wire = WireAssignment()
        wire.clusterName = clusterName
        wire.policy.overprovisioningFactor = .init(overprovisioningFactor)
        wire.policy.weightedPriorityHealth = weighsPriorityHealth
        wire.endpoints = localities.map { $0.wire() }
        if target == .weft, emptyReason != nil || provenance != nil {
            var note = Envoy_Config_Endpoint_V3_LocalityLbEndpoints()
            var fields = provenance?.fields() ?? .init()
            if let emptyReason { fields.fields["emptyReason"] = .init(emptyReason) }
            note.metadata.filterMetadata[Self.noteKey] = fields
            wire.endpoints.append(note)
        }
        return wire
    }

    init(_ wire: WireAssignment, _ reader: WireReader) throws {
        self.init(clusterName: wire.clusterName)
        weighsPriorityHealth = wire.policy.weightedPriorityHealth
        if wire.policy.hasOverprovisioningFactor { overprovisioningFactor = wire.policy.overprovisioningFactor.value }
        for (index, locality) in wire.endpoints.enumerated() {
            if let note = locality.metadata.filterMetadata[Self.noteKey] {
                emptyReason = note.fields["emptyReason"]?.stringValue
                provenance = Provenance(note)
            } else {
                localities.append(try reader.at("endpoints[\(index)]") { try LocalityEndpoints(locality, reader) })
            }
        }
    }
}

extension LocalityEndpoints {
    func wire() -> Envoy_Config_Endpoint_V3_LocalityLbEndpoints {
        var wire = Envoy_Config_Endpoint_V3_LocalityLbEndpoints()
        if locality != Locality() {
            wire.locality.region = locality.region
            wire.locality.zone = locality.zone
            wire.locality.subZone = locality.subZone
        }
        wire.priority = priority
        if let weight { wire.loadBalancingWeight = .init(weight) }
        wire.lbEndpoints = endpoints.map { $0.wire() }
        return wire
    }

    init(_ wire: Envoy_Config_Endpoint_V3_LocalityLbEndpoints, _ reader: WireReader) throws {
        let locality = Locality(region: wire.locality.region, zone: wire.locality.zone, subZone: wire.locality.subZone)
        self.init(
            locality: locality,
            endpoints: try reader.map("lb_endpoints", wire.lbEndpoints) { try Endpoint($0, reader) })
        priority = wire.priority
        if wire.hasLoadBalancingWeight { weight = wire.loadBalancingWeight.value }
    }
}

extension Endpoint {
    func wire() -> Envoy_Config_Endpoint_V3_LbEndpoint {
        var wire = Envoy_Config_Endpoint_V3_LbEndpoint()
        wire.endpoint.address = address.wire()
        wire.endpoint.hostname = hostname
        wire.loadBalancingWeight = .init(weight)
        switch health {
        case .unknown: wire.healthStatus = .unknown
        case .healthy: wire.healthStatus = .healthy
        case .unhealthy: wire.healthStatus = .unhealthy
        case .draining: wire.healthStatus = .draining
        case .timeout: wire.healthStatus = .timeout
        case .degraded: wire.healthStatus = .degraded
        }
        if !transportSocketMatch.isEmpty {
            wire.metadata.filterMetadata["envoy.transport_socket_match"] = .init(strings: transportSocketMatch)
        }
        wire.metadata.balancing = balancingMetadata
        if healthCheckPort != nil || !healthCheckHostname.isEmpty || skipsActiveHealthCheck {
            wire.endpoint.healthCheckConfig.portValue = UInt32(healthCheckPort ?? 0)
            wire.endpoint.healthCheckConfig.hostname = healthCheckHostname
            wire.endpoint.healthCheckConfig.disableActiveHealthCheck = skipsActiveHealthCheck
        }
        if let workload {
            wire.metadata.filterMetadata["istio", default: .init()].fields["workload"] = .init(workload.text)
        }
        return wire
    }

    init(_ wire: Envoy_Config_Endpoint_V3_LbEndpoint, _ reader: WireReader) throws {
        self.init(address: try reader.at("endpoint.address") { try Address(wire.endpoint.address, reader) })
        hostname = wire.endpoint.hostname
        if wire.hasLoadBalancingWeight { weight = wire.loadBalancingWeight.value }
        health =
            switch wire.healthStatus {
            case .healthy: .healthy
            case .unhealthy: .unhealthy
            case .draining: .draining
            case .timeout: .timeout
            case .degraded: .degraded
            default: .unknown
            }
        transportSocketMatch = wire.metadata.filterMetadata["envoy.transport_socket_match"]?.strings ?? [:]
        balancingMetadata = wire.metadata.balancing
        let check = wire.endpoint.healthCheckConfig
        healthCheckPort = check.portValue == 0 ? nil : try reader.port(check.portValue)
        healthCheckHostname = check.hostname
        skipsActiveHealthCheck = check.disableActiveHealthCheck
        if let text = wire.metadata.filterMetadata["istio"]?.fields["workload"]?.stringValue, !text.isEmpty {
            workload = WorkloadMetadata(text: text)
        }
    }
}

extension WorkloadMetadata {
    /// `name;namespace;canonical name;canonical revision;cluster`.
    var text: String { [name, namespace, canonicalName, canonicalRevision, cluster].joined(separator: ";") }

    init(text: String) {
        self.init()
        var parts = text.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
        parts += Array(repeating: "", count: max(0, 5 - parts.count))
        name = parts[0]
        namespace = parts[1]
        canonicalName = parts[2]
        canonicalRevision = parts[3]
        cluster = parts[4]
    }
}

extension Google_Protobuf_Struct {
    init(strings: [String: String]) {
        self.init()
        fields = strings.mapValues { Google_Protobuf_Value($0) }
    }

    var strings: [String: String] { fields.mapValues(\.stringValue) }
}
