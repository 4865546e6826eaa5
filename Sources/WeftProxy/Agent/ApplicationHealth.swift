import NIOCore
import WeftCore

/// Answers the kubelet's rewritten probes by asking the application as the original probe would.
struct ApplicationHealth: Sendable {
    /// Path on the proxy to the original probe.
    let probers: [String: JSONValue]
    let instanceIP: String
    /// Connections from here are not redirected and never taken for traffic of the mesh.
    static let sourceAddress = "127.0.0.6"

    func routes() -> [String: AdminServer.Route] {
        var routes: [String: AdminServer.Route] = [:]
        for path in probers.keys { routes[path] = { _ in await answer(path) } }
        return routes
    }

    private func answer(_ path: String) async -> AdminReply {
        guard let probe = probers[path] else { return AdminReply("no such probe\n", status: 404) }
        let timeout = TimeAmount.seconds(Int64(max(1, probe["timeoutSeconds"]?.intValue ?? 1)))
        if let action = probe["httpGet"] { return await http(action, timeout) }
        for handler in ["tcpSocket", "grpc"] {
            guard let port = probe[handler]?["port"]?.intValue else { continue }
            let isUp = await LocalHTTPClient.canConnect(
                .init(host: instanceIP, port: port, path: "/", bind: bindAddress, timeout: timeout))
            return isUp ? AdminReply("ok\n") : AdminReply("port \(port) does not accept connections\n", status: 500)
        }
        return AdminReply("a probe of this kind cannot be made\n", status: 500)
    }

    private var bindAddress: String? { instanceIP.contains(":") ? nil : Self.sourceAddress }

    private func http(_ action: JSONValue, _ timeout: TimeAmount) async -> AdminReply {
        guard let port = action["port"]?.intValue else { return AdminReply("the probe has no port\n", status: 500) }
        var request = LocalHTTPClient.Request(
            host: instanceIP, port: port, path: action["path"]?.stringValue ?? "/", timeout: timeout)
        if !request.path.hasPrefix("/") { request.path = "/" + request.path }
        request.isTLS = action["scheme"]?.stringValue?.uppercased() == "HTTPS"
        for header in action["httpHeaders"]?.arrayValue ?? [] {
            guard let name = header["name"]?.stringValue, let value = header["value"]?.stringValue else { continue }
            if name.lowercased() == "host" { request.authority = value } else { request.headers.append((name, value)) }
        }
        if !request.headers.contains(where: { $0.0.lowercased() == "user-agent" }) {
            request.headers.append(("user-agent", "kube-probe/1.32"))
        }
        request.bind = bindAddress
        do {
            let response = try await LocalHTTPClient.send(request)
            return AdminReply(response.body, status: response.status)
        } catch {
            return AdminReply("the application on port \(port) does not answer: \(error)\n", status: 500)
        }
    }
}
