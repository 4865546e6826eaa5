import NIOCore
import WeftConfig

/// A pod's namespaces, held by a `pause` process, and the files that every container of the pod sees.
struct Sandbox: Sendable {
    let process: ChildProcess
    let address: String
    let hostName: String
    let folder: String

    static func start(_ name: String, _ spec: PodSpec, namespace: String, folder: String, network: NodeNetwork)
        async throws -> Sandbox
    {
        let address = try network.allocateAddress()
        do {
            let hostName = String((spec.hostname ?? name).prefix(63))
            try Files.makeDirectory(folder)
            try writeFiles(spec, namespace: namespace, hostName: hostName, address: address, folder: folder)
            var records = LaunchSpec()
            records.add("hostname", hostName)
            records.add("address", address)
            records.add("gateway", NodeAddress.gateway)
            try records.write(to: "\(folder)/sandbox.spec")
            let go = try ChildProcess.pipe()
            let process = try await ChildProcess("pause", spec: "\(folder)/sandbox.spec", standard: [go.read, -1, -1])
            let writer = try await Pipes.writer(go.write)
            for await line in process.lines {
                switch line {
                case "ready":
                    try await network.connect(sandbox: process.pid, address: address)
                    try await writer.writeAndFlush(ByteBuffer(string: "g")).get()
                case "up":
                    try? await writer.close()
                    return Sandbox(process: process, address: address, hostName: hostName, folder: folder)
                default: throw RuntimeError(line, reason: "FailedCreatePodSandBox")
                }
            }
            throw RuntimeError("the pod's sandbox ended", reason: "FailedCreatePodSandBox")
        } catch {
            network.release(address)
            throw error
        }
    }

    func stop() async {
        process.signal(9)
        for await _ in process.lines {}
        _ = await process.collect()
    }

    private static func writeFiles(
        _ spec: PodSpec, namespace: String, hostName: String, address: String, folder: String
    ) throws {
        let suffix = "svc.cluster.local"
        var search = ["\(namespace).\(suffix)", suffix, "cluster.local"]
        var servers = [NodeAddress.dnsService]
        var options = ["ndots:5"]
        if spec.dnsPolicy == "None" { (search, servers, options) = ([], [], []) }
        search += spec.dnsConfig?.searches ?? []
        servers += spec.dnsConfig?.nameservers ?? []
        options += (spec.dnsConfig?.options ?? []).compactMap { option in
            option.name.map { name in option.value.map { "\(name):\($0)" } ?? name }
        }
        var resolver = search.isEmpty ? "" : "search \(search.joined(separator: " "))\n"
        for server in servers { resolver += "nameserver \(server)\n" }
        if !options.isEmpty { resolver += "options \(options.joined(separator: " "))\n" }
        var names = hostName
        if let subdomain = spec.subdomain { names = "\(hostName).\(subdomain).\(namespace).\(suffix) \(hostName)" }
        var hosts =
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
        hosts += "\(address)\t\(names)\n"
        for alias in spec.hostAliases ?? [] {
            hosts += "\(alias.ip)\t\((alias.hostnames ?? []).joined(separator: "\t"))\n"
        }
        try Files.write(Array(resolver.utf8), to: "\(folder)/resolv.conf")
        try Files.write(Array(hosts.utf8), to: "\(folder)/hosts")
        try Files.write(Array("\(hostName)\n".utf8), to: "\(folder)/hostname")
    }
}
