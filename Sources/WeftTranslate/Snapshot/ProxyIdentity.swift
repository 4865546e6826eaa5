package import WeftCore
package import WeftIR

/// The proxy that a configuration is for.
package struct ProxyIdentity: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, Codable { case sidecar, router }
    package var id: String
    package var kind: Kind
    package var address: String
    package var podName: String
    package var namespace: String
    package var labels: [String: String]
    package var serviceAccount: String
    /// The node metadata as the proxy sent it.
    package var metadata: JSONValue
    /// Where the proxy runs, as its pod and node say.
    package var locality = Locality()
    package var nodeName = ""
    package var network = ""

    package init(
        kind: Kind, address: String, podName: String, namespace: String, labels: [String: String] = [:],
        serviceAccount: String = "default", metadata: JSONValue = .object([:])
    ) {
        self.id = "\(kind.rawValue)~\(address)~\(podName).\(namespace)~\(namespace).svc.cluster.local"
        self.kind = kind
        self.address = address
        self.podName = podName
        self.namespace = namespace
        self.labels = labels
        self.serviceAccount = serviceAccount
        self.metadata = metadata
    }

    /// From an xDS node: `sidecar~10.244.0.7~backend-1.dev~dev.svc.cluster.local` and its metadata.
    package init?(nodeID: String, metadata: JSONValue = .object([:])) {
        let parts = nodeID.split(separator: "~", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, let kind = Kind(rawValue: parts[0]), let dot = parts[2].lastIndex(of: ".") else {
            return nil
        }
        let domain = parts[3].prefix { $0 != "." }
        let namespace = metadata["NAMESPACE"]?.stringValue ?? String(parts[2][parts[2].index(after: dot)...])
        self.init(
            kind: kind, address: parts[1], podName: String(parts[2][..<dot]),
            namespace: namespace.isEmpty ? String(domain) : namespace,
            labels: metadata["LABELS"]?.objectValue?.compactMapValues(\.stringValue) ?? [:],
            serviceAccount: metadata["SERVICE_ACCOUNT"]?.stringValue ?? "default", metadata: metadata)
        id = nodeID
    }
}
