/// Who may route a host (`hostOwnership` of the mesh configuration; Weft's own, Istio has no such setting).
package struct HostOwnership: Sendable, Hashable, Codable {
    package enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
        /// As in Istio: a VirtualService of any namespace may name any host, and the oldest wins.
        case compatible = "COMPATIBLE"
        /// Only the namespace of the host's service, the root namespace, and namespaces named in `owners`.
        case strict = "STRICT"
    }
    /// `{host: "*.example.com", namespaces: [shop]}`.
    package struct Owner: Sendable, Hashable, Codable {
        package var host: String?
        package var namespaces: [String]?
    }
    package var mode: Mode?
    package var owners: [Owner]?
}
