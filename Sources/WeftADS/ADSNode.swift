import SwiftProtobuf
package import WeftCore
package import WeftProto

/// What a proxy says about itself when it connects (`envoy.config.core.v3.Node`).
package struct ADSNode: Sendable, Hashable {
    package var id: String
    package var cluster: String
    package var metadata: JSONValue
    package var userAgentName: String
    package var userAgentVersion: String

    package init(
        id: String, cluster: String = "", metadata: JSONValue = .object([:]), userAgentName: String = "weft-proxy",
        userAgentVersion: String = WeftVersion.current
    ) {
        self.id = id
        self.cluster = cluster
        self.metadata = metadata
        self.userAgentName = userAgentName
        self.userAgentVersion = userAgentVersion
    }

    package init(_ wire: Envoy_Config_Core_V3_Node) {
        id = wire.id
        cluster = wire.cluster
        metadata = .object(wire.metadata.fields.mapValues(JSONValue.init(wire:)))
        userAgentName = wire.userAgentName
        switch wire.userAgentVersionType {
        case .userAgentVersion(let text): userAgentVersion = text
        case .userAgentBuildVersion(let build):
            userAgentVersion = "\(build.version.majorNumber).\(build.version.minorNumber).\(build.version.patch)"
        case nil: userAgentVersion = ""
        }
    }

    package var wire: Envoy_Config_Core_V3_Node {
        var node = Envoy_Config_Core_V3_Node()
        node.id = id
        node.cluster = cluster
        node.metadata.fields = (metadata.objectValue ?? [:]).mapValues(\.wire)
        node.userAgentName = userAgentName
        node.userAgentVersion = userAgentVersion
        return node
    }

    /// The namespace that the node claims: from its metadata, else from its id (`type~ip~pod.ns~domain`).
    package var namespace: String? {
        if let namespace = metadata["NAMESPACE"]?.stringValue { return namespace }
        let parts = id.split(separator: "~", omittingEmptySubsequences: false)
        guard parts.count == 4, let dot = parts[2].lastIndex(of: ".") else { return nil }
        return String(parts[2][parts[2].index(after: dot)...])
    }

    package var serviceAccount: String? { metadata["SERVICE_ACCOUNT"]?.stringValue }
}

extension JSONValue {
    fileprivate init(wire: Google_Protobuf_Value) {
        switch wire.kind {
        case .numberValue(let number): self = Int64(exactly: number).map { .int($0) } ?? .double(number)
        case .stringValue(let text): self = .string(text)
        case .boolValue(let flag): self = .bool(flag)
        case .structValue(let value): self = .object(value.fields.mapValues(JSONValue.init(wire:)))
        case .listValue(let list): self = .array(list.values.map(JSONValue.init(wire:)))
        case .nullValue, nil: self = .null
        }
    }

    fileprivate var wire: Google_Protobuf_Value {
        var value = Google_Protobuf_Value()
        switch self {
        case .null: value.nullValue = .nullValue
        case .bool(let flag): value.boolValue = flag
        case .int(let number): value.numberValue = Double(number)
        case .double(let number): value.numberValue = number
        case .string(let text): value.stringValue = text
        case .array(let list): value.listValue.values = list.map(\.wire)
        case .object(let members): value.structValue.fields = members.mapValues(\.wire)
        }
        return value
    }
}
