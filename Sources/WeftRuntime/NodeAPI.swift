package import WeftConfig
package import WeftCore

/// What the node agent needs from the API server; WeftNode implements it on the server in its own process.
package protocol NodeAPI: Sendable {
    /// A ConfigMap, Secret or other object, from a cache that follows the server.
    func object(kind: String, namespace: String, name: String) async -> KubernetesObject?
    func updatePodStatus(_ pod: KubernetesObject, status: JSONValue) async
    /// The pod's processes are gone: remove the object.
    func removePod(_ pod: KubernetesObject) async
    func event(_ pod: KubernetesObject, container: String?, warning: Bool, reason: String, message: String) async
    func token(_ pod: KubernetesObject, audience: String?, expirationSeconds: Int) async throws -> String
    /// Listening sockets of the host that containers of this pod take over, by container port.
    func publishedSockets(_ pod: Pod) async -> [PublishedSocket]
}

/// A host socket handed to a container in place of one of its ports.
package struct PublishedSocket: Sendable, Hashable {
    package var containerPort: Int
    package var descriptor: Int32

    package init(containerPort: Int, descriptor: Int32) {
        self.containerPort = containerPort
        self.descriptor = descriptor
    }
}

/// Something the node could not do, in words for its log or for a pod's events.
package struct RuntimeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The reason that a container's `waiting` state shows, such as `CreateContainerConfigError`.
    package var reason: String
    package var message: String
    package var description: String { message }

    package init(_ message: String, reason: String = "CreateContainerError") {
        self.message = message
        self.reason = reason
    }
}

/// Addresses of the node, the same on every machine because they exist only in its own namespace.
package enum NodeAddress {
    package static let gateway = "10.244.0.1"
    package static let podPrefix = "10.244"
    package static let apiService = "10.96.0.1"
    package static let dnsService = "10.96.0.10"
    package static let apiPort = 6443
    package static let nodeName = "weft-node"
}
