import SwiftProtobuf
import WeftCore
import WeftHTTP
import WeftRouting

/// The two request headers with which proxies introduce themselves over mTLS, as Istio's metadata exchange has them:
/// the node id, and node metadata as base64 of a `google.protobuf.Struct`.
enum PeerMetadata {
    static let idHeader: HeaderName = "x-envoy-peer-metadata-id"
    static let header: HeaderName = "x-envoy-peer-metadata"
    static let headers: HeaderNameSet = [idHeader, header]
    /// Larger values are ignored; Istio's own are below 2 KiB.
    static let maximumBytes = 16 << 10

    private static let sent = [
        "NAME", "NAMESPACE", "WORKLOAD_NAME", "OWNER", "CLUSTER_ID", "MESH_ID", "INSTANCE_IPS", "APP_CONTAINERS",
    ]
    private static let sentLabels = [
        "app", "version", "app.kubernetes.io/name", "app.kubernetes.io/version", "service.istio.io/canonical-name",
        "service.istio.io/canonical-revision",
    ]

    static func encode(_ metadata: JSONValue) -> String {
        var message = Google_Protobuf_Struct()
        for name in sent {
            if let text = metadata[name]?.stringValue {
                message.fields[name] = Google_Protobuf_Value(stringValue: text)
            }
        }
        var labels = Google_Protobuf_Struct()
        for name in sentLabels {
            if let text = metadata["LABELS"]?[name]?.stringValue {
                labels.fields[name] = Google_Protobuf_Value(stringValue: text)
            }
        }
        message.fields["LABELS"] = Google_Protobuf_Value(structValue: labels)
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        let bytes: [UInt8] = (try? message.serializedBytes(options: options)) ?? []
        return Base64.encode(bytes)
    }

    /// `nil` for what no proxy would send.
    static func decode(_ value: some Collection<UInt8>) -> WorkloadLabels? {
        guard value.count <= maximumBytes, let bytes = Base64.decode(value),
            let message = try? Google_Protobuf_Struct(serializedBytes: bytes)
        else { return nil }
        return WorkloadLabels(metadata: json(message))
    }

    private static func json(_ message: Google_Protobuf_Struct) -> JSONValue {
        var members: [String: JSONValue] = [:]
        for (name, value) in message.fields {
            switch value.kind {
            case .stringValue(let text): members[name] = .string(text)
            case .structValue(let nested) where name == "LABELS":
                members[name] = .object(nested.fields.mapValues { .string($0.stringValue) })
            default: break
            }
        }
        return .object(members)
    }
}
