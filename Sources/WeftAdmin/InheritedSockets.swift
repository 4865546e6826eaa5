/// Listening sockets that our parent opened for us: `WEFT_LISTEN_FDS="8080=5,8443=6"`, container port = descriptor.
package struct InheritedSockets: Sendable, Hashable {
    package var descriptors: [Int: Int32]

    /// Entries that make no sense are left out.
    package init(environment: [String: String]) {
        descriptors = [:]
        for entry in (environment["WEFT_LISTEN_FDS"] ?? "").split(separator: ",") {
            let parts = entry.split(separator: "=")
            guard parts.count == 2, let port = Int(parts[0]), let descriptor = Int32(parts[1]), descriptor > 2 else {
                continue
            }
            descriptors[port] = descriptor
        }
    }
}
