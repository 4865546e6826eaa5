import Foundation
import Glibc

/// What must hold before a local node can start; each failure says what to do about it.
struct Preflight {
    var ports: LocalPorts

    func check() throws {
        guard geteuid() == 0 else {
            throw CommandFailure("weft up needs root to create network namespaces: run it with sudo -E.")
        }
        for (tool, package) in [("ip", "iproute2"), ("nft", "nftables"), ("setsid", "util-linux")]
        where !Self.found(tool) {
            throw CommandFailure("'\(tool)' is not installed: install the package \(package) and run 'weft up' again.")
        }
        let node = LocalHome.executable("weft-node")
        guard access(node, X_OK) == 0 else {
            throw CommandFailure("\(node) is missing: build it with 'swift build --product weft-node'.")
        }
        guard Set(ports.all.map(\.port)).count == ports.all.count else {
            throw CommandFailure("the API, HTTP, HTTPS and dashboard ports must differ from each other.")
        }
        for (option, port) in ports.all where !Self.isFree(port) {
            throw CommandFailure(
                "port \(port) on 127.0.0.1 is in use: choose another with \(option), or stop what listens there "
                    + "('ss -ltnp sport = :\(port)' shows it).")
        }
    }

    private static func found(_ tool: String) -> Bool {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/sbin:/sbin:/usr/bin:/bin"
        return path.split(separator: ":").contains { access("\($0)/\(tool)", X_OK) == 0 }
    }

    static func isFree(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
