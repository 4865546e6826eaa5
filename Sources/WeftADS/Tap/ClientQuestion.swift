package import WeftCore

/// Who has an address: what a proxy asks of clients that no configuration tells it of, such as a pod without a sidecar and
/// without a Service. Asked and answered on the stream of the tap.
enum ClientQuestion {
    /// Longer than any address.
    private static let longest = 64

    static func bytes(_ address: String) -> [UInt8] { (["ask": .string(address)] as JSONValue).serialized() }

    /// - Returns: the address; `nil` for a message of another kind.
    static func read(_ bytes: [UInt8]) -> String? {
        guard bytes.count < 256, let value = try? JSONValue(parsing: bytes, maximumDepth: 4),
            let address = value["ask"]?.stringValue, address.utf8.count <= longest
        else { return nil }
        return address
    }
}

/// What the control plane knows of an address.
package struct ClientAnswer: Sendable, Hashable {
    package var address: String
    /// As node metadata (`WORKLOAD_NAME`, `NAMESPACE`, `LABELS`, `CLUSTER_ID`); `nil` where nobody has it, or several.
    package var workload: JSONValue?

    package init(address: String, workload: JSONValue?) {
        self.address = address
        self.workload = workload
    }

    var bytes: [UInt8] {
        (["client": .string(address), "workload": workload ?? .null] as JSONValue).serialized()
    }

    /// - Returns: `nil` for a message of another kind.
    init?(bytes: [UInt8]) {
        guard bytes.count <= 1 << 14, let value = try? JSONValue(parsing: bytes, maximumDepth: 8),
            let address = value["client"]?.stringValue
        else { return nil }
        self.address = address
        workload = value["workload"]?.objectValue == nil ? nil : value["workload"]
    }
}
