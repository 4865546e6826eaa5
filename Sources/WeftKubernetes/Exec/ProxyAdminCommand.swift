/// How to ask the admin port of a proxy in its own container, which listens on the pod's loopback alone.
package enum ProxyAdminCommand {
    /// The container that a sidecar and a gateway run in.
    package static let container = "istio-proxy"

    /// Commands that make the same request, the likeliest first: the agent's own client under both its names, in a
    /// local pod also where this build keeps it, else curl.
    /// - Parameter agent: The path of this build's `weft-proxy`.
    package static func all(_ method: String, _ path: String, agent: String) -> [[String]] {
        [
            ["weft-proxy", "request", method, path], [agent, "request", method, path],
            ["pilot-agent", "request", method, path],
            ["curl", "-sSf", "-X", method, "http://127.0.0.1:15000\(path)"],
        ]
    }
}
