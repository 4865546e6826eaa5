import ArgumentParser
import Foundation
import WeftKubernetes
import WeftManifests

/// `weft up`: starts the local mesh and returns once it serves.
struct UpCommand: AsyncParsableCommand {
    /// A set of example workloads.
    enum Demo: String, ExpressibleByArgument, CaseIterable {
        case bookinfo
    }

    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Start the local mesh on this machine.",
        discussion: """
            Starts a small Kubernetes node under $WEFT_HOME (default ~/.weft) and installs the mesh in it. Objects of an
            earlier run are still there. For development, courses and tests.
            Examples:
              weft up --demo bookinfo
              weft up --detach --http-port 9090
            """)

    @Flag(help: "Return when the mesh is ready; stop it with 'weft down'.")
    var detach = false
    @Option(help: "Also run an example: bookinfo.")
    var demo: Demo?
    @OptionGroup var ports: LocalPorts

    func run() async throws {
        let home = LocalHome.current()
        let node = LocalNode(home: home)
        let wasRunning = home.runningNode != nil
        let interrupts = Interrupts()
        do {
            let isReady = try await interrupts.race { try await bringUp(home, node) }
            if isReady {
                if detach { return }
                _ = try await interrupts.race { try await Self.waitForEnd(of: node) }
            }
        } catch {
            // What another call started goes on; what this one started must not stay behind half-ready.
            if !wasRunning, !detach, let pid = home.runningNode { try await node.stop(pid) }
            throw error
        }
        if wasRunning, detach { return }
        say("\nStopping…")
        if let pid = home.runningNode ?? node.startingProcess { try await node.stop(pid) }
        say("The local mesh has stopped; 'weft up' brings its objects back.")
    }

    private func bringUp(_ home: LocalHome, _ node: LocalNode) async throws {
        let start = ContinuousClock.now
        var ports = ports
        if let pid = home.runningNode {
            ports = LocalPorts.read(from: LocalHome.arguments(of: pid)) ?? ports
            say("A local mesh already runs for \(home.path) (pid \(pid)).")
        } else {
            try Preflight(ports: ports).check()
            try node.start(ports)
        }
        try await node.waitForAPI()
        say("✔ Kubernetes API on https://127.0.0.1:\(ports.apiPort) (\(Installer.seconds(since: start)))")
        do {
            try await populate(home, ports)
        } catch {
            guard node.isAlive else { throw CommandFailure("weft-node ended:\n\(node.logTail)") }
            throw error
        }
        printSummary(home, ports, start)
    }

    /// Returns never; throws when the node ends by itself.
    private static func waitForEnd(of node: LocalNode) async throws {
        while node.isAlive { try await Task.sleep(for: .seconds(1)) }
        throw CommandFailure("weft-node ended:\n\(node.logTail)")
    }

    private func populate(_ home: LocalHome, _ ports: LocalPorts) async throws {
        let configuration = try KubernetesConfiguration.standard(kubeconfig: home.kubeconfig, environment: [:])
        try await GlobalOptions.withClient(configuration) { client in
            let installer = Installer(client: client)
            let installation = MeshInstallation(InstallSettings(profile: .demo))
            let objects = installation.objects
            try await installer.apply(objects)
            say("✔ \(objects.count) objects of profile demo applied")
            try await installer.waitForDeployments(installation.deployments, namespace: installation.settings.namespace)
            guard demo == .bookinfo else { return }
            try await installer.apply(Bookinfo.objects)
            say("✔ Bookinfo applied")
            try await installer.waitForDeployments(Bookinfo.deployments, namespace: Bookinfo.namespace)
            let page = Self.page(ports)
            try await installer.wait(page) {
                do {
                    _ = try await client.fetch(page, timeout: .seconds(5))
                    return nil
                } catch {
                    return "\(error)"
                }
            }
            say("✔ \(page) answers")
        }
    }

    private static func page(_ ports: LocalPorts) -> String { "http://127.0.0.1:\(ports.httpPort)/productpage" }

    private func printSummary(_ home: LocalHome, _ ports: LocalPorts, _ start: ContinuousClock.Instant) {
        say("\nThe mesh is ready after \(Installer.seconds(since: start)).")
        say("  export KUBECONFIG=\(home.kubeconfig)")
        if demo == .bookinfo { say("  Bookinfo   \(Self.page(ports))") }
        say("  Ingress    http://127.0.0.1:\(ports.httpPort)  https://127.0.0.1:\(ports.httpsPort)")
        say("  Dashboard  http://127.0.0.1:\(ports.dashboardPort)")
        say(detach ? "Stop it with 'weft down'." : "Press Ctrl-C to stop.")
    }
}
