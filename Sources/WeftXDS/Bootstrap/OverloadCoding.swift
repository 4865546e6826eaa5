import SwiftProtobuf
import WeftIR
import WeftProto

private typealias WireHeap = Envoy_Extensions_ResourceMonitors_FixedHeap_V3_FixedHeapConfig
private typealias WireConnections =
    Envoy_Extensions_ResourceMonitors_DownstreamConnections_V3_DownstreamConnectionsConfig
private typealias WireInjected = Envoy_Extensions_ResourceMonitors_InjectedResource_V3_InjectedResourceConfig

extension Overload {
    init(_ wire: Envoy_Config_Overload_V3_OverloadManager, _ reader: WireReader) throws {
        self.init()
        if wire.hasRefreshInterval { refreshMilliseconds = max(1, wire.refreshInterval.milliseconds) }
        monitors = try reader.map("resource_monitors", wire.resourceMonitors) { try Monitor($0, reader) }
        let names = Set(monitors.map(\.name))
        guard names.count == monitors.count else { throw reader.error("two resource_monitors have the same name") }
        let actions = try reader.map("actions", wire.actions) { action in
            try Rule(action.name, action.triggers, isShedPoint: false, names, reader)
        }
        let points = try reader.map("loadshed_points", wire.loadshedPoints) { point in
            try Rule(point.name, point.triggers, isShedPoint: true, names, reader)
        }
        rules = actions + points
        guard Set(rules.map(\.measure)).count == rules.count else { throw reader.error("an action is there twice") }
    }
}

extension Overload.Monitor {
    fileprivate init(_ wire: Envoy_Config_Overload_V3_ResourceMonitor, _ reader: WireReader) throws {
        let any = wire.typedConfig
        let resource: Overload.Resource
        switch any.messageName {
        case WireHeap.protoMessageName:
            let limit = try reader.unpack(any, as: WireHeap.self).maxHeapSizeBytes
            guard limit > 0 else { throw reader.error("max_heap_size_bytes must be greater than 0") }
            resource = .fixedHeap(limit: limit)
        case WireConnections.protoMessageName:
            let limit = try reader.unpack(any, as: WireConnections.self).maxActiveDownstreamConnections
            guard limit > 0 else { throw reader.error("max_active_downstream_connections must be greater than 0") }
            resource = .downstreamConnections(limit: UInt64(limit))
        case WireInjected.protoMessageName:
            resource = .injected(path: try reader.unpack(any, as: WireInjected.self).filename)
        default: throw reader.error("resource monitor \(wire.name) (\(any.messageName)) is not supported")
        }
        self.init(name: wire.name, resource: resource)
    }
}

extension Overload.Rule {
    fileprivate init(
        _ name: String, _ triggers: [Envoy_Config_Overload_V3_Trigger], isShedPoint: Bool, _ monitors: Set<String>,
        _ reader: WireReader
    ) throws {
        guard let measure = Overload.Measure(rawValue: name), measure.isShedPoint == isShedPoint else {
            throw reader.error("\"\(name)\" is not supported")
        }
        guard !triggers.isEmpty else { throw reader.error("\(name) has no triggers") }
        var read: [String: Overload.Trigger] = [:]
        for trigger in triggers {
            guard monitors.contains(trigger.name) else {
                throw reader.error("\(name): there is no resource monitor \"\(trigger.name)\"")
            }
            guard read.updateValue(try Overload.Trigger(trigger, reader), forKey: trigger.name) == nil else {
                throw reader.error("\(name): two triggers for \"\(trigger.name)\"")
            }
        }
        self.init(measure: measure, triggers: read)
    }
}

extension Overload.Trigger {
    fileprivate init(_ wire: Envoy_Config_Overload_V3_Trigger, _ reader: WireReader) throws {
        func share(_ value: Double) throws -> Double {
            guard (0...1).contains(value) else { throw reader.error("a trigger's value must be from 0 to 1") }
            return value
        }
        switch wire.triggerOneof {
        case .threshold(let threshold): self = .threshold(try share(threshold.value))
        case .scaled(let scaled):
            guard scaled.scalingThreshold < scaled.saturationThreshold else {
                throw reader.error("scaling_threshold must be below saturation_threshold")
            }
            self = .scaled(from: try share(scaled.scalingThreshold), to: try share(scaled.saturationThreshold))
        case nil: throw reader.error("a trigger needs threshold or scaled")
        }
    }
}
