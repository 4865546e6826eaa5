import NIOCore
import NIOPosix
import WeftConfig

/// Runs one check of a container, from the node as kubelet does.
struct ProbeRunner: Sendable {
    let address: String
    /// Runs a command in the container: exit status and output.
    let execute: @Sendable ([String]) async -> (code: Int, output: String)

    /// `nil` is success; otherwise the message of the `Unhealthy` event.
    func check(_ probe: Probe, _ container: Container) async -> String? {
        let timeout = Int64(max(1, probe.timeoutSeconds ?? 1))
        if let action = probe.exec {
            let command = action.command ?? []
            return await Self.limited(
                timeout, "command timed out: \"\(command.joined(separator: " "))\" timed out after \(timeout)s"
            ) {
                let result = await execute(command)
                return result.code == 0 ? nil : result.output
            }
        }
        if let action = probe.httpGet { return await http(action, container, timeout) }
        if let action = probe.tcpSocket {
            guard let port = Self.port(action.port, container) else { return "unknown port" }
            return await connect(action.host ?? address, port, timeout)
        }
        if let action = probe.grpc { return await connect(address, action.port, timeout) }
        return nil
    }

    static func port(_ port: IntOrString, _ container: Container) -> Int? {
        switch port {
        case .int(let number): number
        case .string(let name): Int(name) ?? container.ports?.first { $0.name == name }?.containerPort
        }
    }

    private func connect(_ host: String, _ port: Int, _ timeout: Int64) async -> String? {
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.seconds(timeout)).connect(host: host, port: port).get()
            try? await channel.close()
            return nil
        } catch {
            return "dial tcp \(host):\(port): connect: connection refused"
        }
    }

    func http(_ action: HTTPGetAction, _ container: Container, _ timeout: Int64) async -> String? {
        guard let port = Self.port(action.port, container) else { return "unknown port" }
        let host = action.host ?? address
        if action.scheme?.uppercased() == "HTTPS" { return await connect(host, port, timeout) }
        let path = action.path ?? "/"
        let url = "http://\(host):\(port)\(path)"
        var request = "GET \(path.hasPrefix("/") ? path : "/\(path)") HTTP/1.1\r\n"
        let headers = action.httpHeaders ?? []
        if !headers.contains(where: { $0.name.lowercased() == "host" }) { request += "Host: \(host):\(port)\r\n" }
        if !headers.contains(where: { $0.name.lowercased() == "user-agent" }) {
            request += "User-Agent: kube-probe/1.32\r\n"
        }
        for header in headers { request += "\(header.name): \(header.value ?? "")\r\n" }
        request += "Accept: */*\r\nConnection: close\r\n\r\n"
        let text = request
        return await Self.limited(
            timeout, "Get \"\(url)\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        ) {
            do {
                let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connectTimeout(.seconds(timeout))
                    .connect(host: host, port: port) { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                        }
                    }
                return try await channel.executeThenClose { inbound, outbound in
                    try await outbound.write(ByteBuffer(string: text))
                    var head = ByteBuffer()
                    for try await var part in inbound {
                        head.writeBuffer(&part)
                        if head.readableBytes >= 12 { break }
                    }
                    let line = String(buffer: head)
                    let code =
                        Int(line.split(separator: " ", maxSplits: 2).dropFirst().first.map { $0.prefix(3) } ?? "") ?? 0
                    return (200..<400).contains(code) ? nil : "HTTP probe failed with statuscode: \(code)"
                }
            } catch {
                return "Get \"\(url)\": dial tcp \(host):\(port): connect: connection refused"
            }
        }
    }

    private static func limited(_ seconds: Int64, _ late: String, _ body: @escaping @Sendable () async -> String?) async
        -> String?
    {
        await withTaskGroup(of: String?.self) { group in
            group.addTask { await body() }
            group.addTask {
                do { try await Task.sleep(for: .seconds(seconds)) } catch { return nil }
                return late
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
