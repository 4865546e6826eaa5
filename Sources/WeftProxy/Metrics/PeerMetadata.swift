import SwiftProtobuf
import WeftCore
import WeftHTTP

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

/// Base64 (RFC 4648 section 4) with padding, which may be missing when decoding.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var group: UInt32 = 0
            for offset in 0..<3 { group = group << 8 | (offset < count ? UInt32(bytes[start + offset]) : 0) }
            for offset in 0..<4 {
                let digit = Int(group >> UInt32(18 - 6 * offset) & 63)
                result.append(offset <= count ? alphabet[digit] : UInt8(ascii: "="))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var group: UInt32 = 0
        var bits = 0
        var padding = 0
        for byte in text {
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let digit = digit(byte) else { return nil }
            group = (group << 6 | digit) & 0xff_ffff
            bits += 6
            if bits >= 8 {
                bits -= 8
                result.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
            }
        }
        return padding <= 2 && bits < 6 ? result : nil
    }

    private static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 65...90: UInt32(byte - 65)
        case 97...122: UInt32(byte - 71)
        case 48...57: UInt32(byte + 4)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
