import Logging
import NIOCore
import WeftAPIServer
import WeftConfig
import WeftCore
import WeftRuntime

#if canImport(Glibc)
import Glibc
#endif

/// The local node, put together: API server, controllers and runtime in one process.
struct NodeServer: Sendable {
    private let options: NodeOptions
    private let sockets: HostSockets
    private let home: String
    private let logger: Logger

    init(_ options: NodeOptions, _ sockets: HostSockets) throws {
        self.options = options
        self.sockets = sockets
        var path = options.home
        if !path.hasPrefix("/"), let current = getcwd(nil, 0) {
            path = "\(String(cString: current))/\(path)"
            free(current)
        }
        home = path
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        logger = Logger(label: "weft-node")
        for folder in ["state", "pki", "logs", "pods"] { try Files.makeDirectory("\(home)/\(folder)") }
    }

    /// Runs until cancelled, then stops the pods and takes everything down.
    func run() async throws {
        let network = NodeNetwork()
        try await network.start()
        let backend = NodePodBackend()
        let server = try APIServer(
            APIServer.Configuration(
                stateDirectory: "\(home)/state", pkiDirectory: "\(home)/pki",
                listeners: [.inherited(sockets.api), .address(host: NodeAddress.gateway, port: NodeAddress.apiPort)],
                podBackend: backend))
        let node = LocalNodeAPI(server.api, publish: PublishTable(sockets), logger: logger)
        let catalogue = ImageCatalogue(binaries: binaries, user: userEntries(), path: "\(home)/catalogue.yaml")
        let runtime = PodRuntime(api: node, network: network, catalogue: catalogue, home: home)
        backend.connect(runtime)
        let dns = DNSServer()
        try await dns.start()
        let loop = ControllerLoop(
            api: server.api, node: node, runtime: runtime, dns: dns, certificate: server.caPEM, logger: logger)
        let (ready, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // Not a child task: it must outlive the cancellation, so that the pods' last statuses are still written.
        let serving = Task { await self.serve(server, signal) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in ready { await self.drive(loop) } }
            group.addTask { await NodeObject.heartbeat(server.api) }
            await group.next()
            group.cancelAll()
        }
        logger.info("stopping")
        await runtime.stopAll(grace: 5)
        serving.cancel()
        await serving.value
        Files.remove("\(home)/node.pid")
    }

    private func serve(_ server: APIServer, _ ready: AsyncStream<Void>.Continuation) async {
        let url = "https://127.0.0.1:\(options.apiPort)"
        do {
            try await server.run { _ in
                try await self.resetPods(server.api)
                try await NodeObject.register(server.api)
                try server.writeKubeconfig(to: "\(home)/kubeconfig", server: url)
                try Files.write(Array("\(getpid())\n".utf8), to: "\(home)/node.pid")
                logger.info("the Kubernetes API answers on \(url)")
                ready.yield()
            }
        } catch {
            logger.error("\(error)")
        }
        ready.finish()
    }

    private func drive(_ loop: ControllerLoop) async {
        do { try await loop.run() } catch { logger.error("controllers ended: \(error)") }
    }

    /// No process survived the node: pods that were running start again, and nobody is sent to their old addresses.
    private func resetPods(_ api: LocalAPI) async throws {
        for pod in try await api.list(.pods).items {
            let phase = pod.json[path: "status", "phase"]?.stringValue
            guard phase != "Succeeded", phase != "Failed" else { continue }
            let status: JSONValue = [
                "phase": "Pending", "conditions": nil, "podIP": nil, "podIPs": nil, "containerStatuses": nil,
                "initContainerStatuses": nil,
            ]
            _ = try? await api.patch(
                .pods, namespace: pod.namespace, name: pod.name, body: ["status": status], subresource: "status")
        }
    }

    private var binaries: String {
        if let folder = options.binDir { return folder }
        guard let resolved = realpath("/proc/self/exe", nil) else { return "." }
        defer { free(resolved) }
        let path = String(cString: resolved)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    /// `catalogue.yaml`: a list of `{image, entrypoint: […], command: […]}` under `images`.
    private func userEntries() -> [ImageCatalogue.Entry] {
        guard let bytes = Files.read("\(home)/catalogue.yaml") else { return [] }
        do {
            let documents = try YAMLReader.documents(in: String(decoding: bytes, as: UTF8.self))
            return try documents.flatMap { try $0.value["images"]?.decode([ImageCatalogue.Entry].self) ?? [] }
        } catch {
            logger.error("catalogue.yaml is ignored: \(error)")
            return []
        }
    }
}
