import SwiftProtobuf
import WeftCore
import WeftHTTP
import WeftRouting

/// The two request headers with which proxies introduce themselves over mTLS, as Istio's metadata exchange has them:
/// the node id, and node metadata as base64 of a `google.protobuf.Struct`.
enum PeerMetadata {
    static var idHeader: HeaderName { "x-envoy-peer-metadata-id" }
    static var header: HeaderName { "x-envoy-peer-metadata" }
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
        let bytes: [UInt8] = (try? message(metadata).serializedBytes(options: options)) ?? []
        return Base64.encode(bytes)
    }

    private static var options: BinaryEncodingOptions {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        return options
    }

    private static func message(_ metadata: JSONValue) -> Google_Protobuf_Struct {
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
        return message
    }

    /// `nil` for what no proxy would send.
    static func decode(_ value: some Collection<UInt8>) -> WorkloadLabels? {
        guard value.count <= maximumBytes, let bytes = Base64.decode(value),
            let message = try? Google_Protobuf_Struct(serializedBytes: bytes)
        else { return nil }
        return WorkloadLabels(metadata: json(message))
    }

    // MARK: - Plain connections

    /// The protocol (ALPN) of mutual TLS over which a client's proxy speaks of itself before the client does.
    static let exchangeProtocol = "istio-peer-exchange"
    /// What a proxy's introduction begins with; the length of the message follows, both in network order.
    static let magic: UInt32 = 0x3d23_0467

    /// Goes out first on a plain connection: magic, length, and an `Any` with a `Struct` of id and metadata, as Istio's
    /// metadata exchange has them.
    static func introduction(id: String, metadata: JSONValue) -> [UInt8] {
        var message = Google_Protobuf_Struct()
        message.fields["x-envoy-peer-metadata-id"] = Google_Protobuf_Value(stringValue: id)
        message.fields["x-envoy-peer-metadata"] = Google_Protobuf_Value(structValue: self.message(metadata))
        let any = try? Google_Protobuf_Any(message: message)
        let body: [UInt8] = (try? any?.serializedBytes(options: options)) ?? []
        return [magic, UInt32(body.count)].flatMap { word in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) }
        } + body
    }

    /// - Parameter body: what follows the length.
    /// - Returns: `nil` for what no proxy would send.
    static func decodeIntroduction(_ body: some Collection<UInt8>) -> (id: String, labels: WorkloadLabels)? {
        guard let any = try? Google_Protobuf_Any(serializedBytes: Array(body)),
            let message = try? Google_Protobuf_Struct(serializedBytes: Array(any.value)),
            case .structValue(let metadata)? = message.fields["x-envoy-peer-metadata"]?.kind
        else { return nil }
        let id = message.fields["x-envoy-peer-metadata-id"]?.stringValue ?? ""
        return (id, WorkloadLabels(metadata: json(metadata)))
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
