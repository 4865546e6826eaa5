import Synchronization

/// The node's network: a bridge in the node's own namespace and the pods' addresses on it.
///
/// Every pod has a /32 address and sends everything to the node, which routes it: so service addresses can be
/// translated in both directions. Safe from any task.
package final class NodeNetwork: Sendable {
    private let used = Mutex<Set<Int>>([])
    private let next = Mutex<Int>(2)

    package init() {}

    /// Builds the bridge; the process is already in its own network namespace.
    package func start() async throws {
        for (path, value) in [
            ("ip_forward", "1"), ("conf/all/rp_filter", "0"), ("conf/default/rp_filter", "0"),
            ("conf/all/send_redirects", "0"), ("conf/default/send_redirects", "0"), ("ip_unprivileged_port_start", "0"),
        ] {
            try? Files.write(Array(value.utf8), to: "/proc/sys/net/ipv4/\(path)")
        }
        try await CommandRunner.run(
            ["ip", "-batch", "-"],
            input: """
                link add weft0 type bridge
                addr add \(NodeAddress.gateway)/16 dev weft0
                link set weft0 up
                route add 10.96.0.0/12 dev weft0
                """ + "\n")
        for setting in ["send_redirects", "rp_filter"] {
            try? Files.write([UInt8(ascii: "0")], to: "/proc/sys/net/ipv4/conf/weft0/\(setting)")
        }
    }

    package func allocateAddress() throws -> String {
        let number = used.withLock { used in
            next.withLock { next -> Int? in
                for _ in 0..<65000 {
                    next = next >= 65500 ? 2 : next + 1
                    if used.insert(next).inserted { return next }
                }
                return nil
            }
        }
        guard let number else {
            throw RuntimeError("no address is left in 10.244.0.0/16", reason: "FailedCreatePodSandBox")
        }
        return "\(NodeAddress.podPrefix).\(number / 256).\(number % 256)"
    }

    package func release(_ address: String) {
        let parts = address.split(separator: ".").compactMap { Int($0) }
        guard parts.count == 4 else { return }
        used.withLock { _ = $0.remove(parts[2] * 256 + parts[3]) }
    }

    /// Lays a cable from the bridge into the network namespace of a sandbox process.
    func connect(sandbox: Int32, address: String) async throws {
        let parts = address.split(separator: ".").compactMap { Int($0) }
        let name = "veth\(parts[2] * 256 + parts[3])"
        try await CommandRunner.run(
            ["ip", "-batch", "-"],
            input: """
                link add \(name) type veth peer name eth0 netns \(sandbox)
                link set \(name) master weft0 up
                """ + "\n")
    }
}
