import Foundation
import TestSupport

/// A machine beside the cluster: a network namespace of its own on the node's bridge, that Kubernetes knows nothing of.
final class Machine: @unchecked Sendable {
    let mesh: LocalMesh
    let address: String
    /// What the machine's owner was given, and what the test leaves there.
    let folder: String
    private let holder: ServerProcess
    private var running: [ServerProcess] = []

    /// - Parameter number: another one for each machine of a test run, 1 to 200.
    static func start(_ mesh: LocalMesh, number: Int) async throws -> Machine {
        let machine = try Machine(mesh, number: number)
        let node = try String(contentsOfFile: mesh.home + "/node.pid", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        try await command([
            "nsenter", "-t", node, "-n", "sh", "-ec",
            """
            ip link add vm\(number) type veth peer name eth0 netns \(machine.holder.identifier)
            ip link set vm\(number) master weft0 up
            """,
        ]).checked()
        try await machine.shell(
            """
            ip link set lo up
            ip addr add \(machine.address)/32 dev eth0
            ip link set eth0 up
            ip route add 10.244.0.1 dev eth0
            ip route add default via 10.244.0.1
            """
        ).checked()
        return machine
    }

    private init(_ mesh: LocalMesh, number: Int) throws {
        self.mesh = mesh
        address = "10.244.254.\(number)"
        folder = FileManager.default.temporaryDirectory.path(percentEncoded: false) + "/weft-machine-\(UUID())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // Ends by itself, should the test not come to it.
        holder = try ServerProcess(
            "machine \(number)", "/usr/bin/unshare", ["-n", "sleep", "900"], log: folder + "/holder.log",
            takesSignals: true)
        // The namespace is there when the program that holds it runs.
        for _ in 0..<100 where Self.name(of: holder.identifier) != "sleep" { usleep(20_000) }
    }

    private static func name(of process: Int32) -> String {
        let text = (try? String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8)) ?? ""
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Runs a script on the machine to its end.
    @discardableResult
    func shell(_ script: String, timeout: Int = 60) async throws -> CommandResult {
        try await command(
            ["nsenter", "-t", "\(holder.identifier)", "-n", "sh", "-ec", script], timeout: timeout)
    }

    /// Starts a program of the build under test on the machine; its log is ``log(_:)``.
    func start(_ program: String, _ arguments: String...) throws -> ServerProcess {
        let entering = ["-t", "\(holder.identifier)", "-n", "\(mesh.binaries)/\(program)"]
        let process = try ServerProcess(
            program, "/usr/bin/nsenter", entering + arguments, log: "\(folder)/\(program).log", takesSignals: true)
        running.append(process)
        return process
    }

    func log(_ program: String) -> String {
        (try? String(contentsOfFile: "\(folder)/\(program).log", encoding: .utf8)) ?? ""
    }

    /// Ends everything on the machine, and the machine.
    func stop() {
        for process in running + [holder] { process.stop() }
        try? FileManager.default.removeItem(atPath: folder)
    }
}
