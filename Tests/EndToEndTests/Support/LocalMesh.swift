import Foundation
import TestSupport

/// A local mesh that the tests started with `weft up`, and the tools that a user would type against it.
final class LocalMesh: Sendable {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path(percentEncoded: false)
    static let labs = root + "../shared/labs"
    static let tools = root + ".build-tools"
    /// The build under test: `debug` while developing, `release` in `dev/check`.
    static let testedBinaries =
        root + ".build/" + (ProcessInfo.processInfo.environment["WEFT_E2E_BUILD"] ?? "debug")
    static let releaseBinaries = root + ".build/release"

    /// The mesh that most tests share, started once, on its own ports (`WEFT_E2E_PORT` and the three after it).
    static func shared() async throws -> LocalMesh { try await sharedTask.value }
    private static let sharedTask = Task {
        let mesh = LocalMesh(
            name: "home", firstPort: ProcessInfo.processInfo.environment["WEFT_E2E_PORT"].flatMap { Int($0) } ?? 26440)
        _ = try? await mesh.weft("down", "--purge")
        try await mesh.weft("up", "--detach", "--demo", "bookinfo", timeout: 180).checked()
        return mesh
    }

    let home: String
    let binaries: String
    let apiPort: Int
    let httpPort: Int
    let httpsPort: Int
    let dashboardPort: Int

    /// - Parameter firstPort: the first of four host ports in a row.
    init(name: String, firstPort: Int, binaries: String = LocalMesh.testedBinaries) {
        self.binaries = binaries
        home = LocalMesh.root + ".build/e2e/" + name
        apiPort = firstPort
        httpPort = firstPort + 1
        httpsPort = firstPort + 2
        dashboardPort = firstPort + 3
    }

    var environment: [String: String] {
        ["WEFT_HOME": home, "KUBECONFIG": home + "/kubeconfig", "NO_COLOR": "1", "KUBECACHEDIR": home + "/kubecache"]
    }

    var ports: [String] {
        [
            "--api-port", "\(apiPort)", "--http-port", "\(httpPort)", "--https-port", "\(httpsPort)",
            "--dashboard-port",
            "\(dashboardPort)",
        ]
    }

    // MARK: Tools

    /// `weft …`; `up` gets this mesh's ports.
    @discardableResult
    func weft(_ arguments: String..., timeout: Int = 90) async throws -> CommandResult {
        let extra = arguments.first == "up" ? ports : []
        return try await command(
            [binaries + "/weft"] + arguments + extra, environment: environment, timeout: timeout)
    }

    /// The same executable under the name that tutorials use.
    @discardableResult
    func istioctl(_ arguments: String..., timeout: Int = 60) async throws -> CommandResult {
        let link = home + "/istioctl"
        if !FileManager.default.fileExists(atPath: link) {
            try FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: binaries + "/weft")
        }
        return try await command([link] + arguments, environment: environment, timeout: timeout)
    }

    @discardableResult
    func kubectl(_ arguments: String..., input: String = "", timeout: Int = 60) async throws -> CommandResult {
        try await kubectl(arguments, input: input, timeout: timeout)
    }

    @discardableResult
    func kubectl(
        _ arguments: [String], binary: String = "kubectl", input: String = "", timeout: Int = 60
    ) async throws -> CommandResult {
        try await command([binary] + arguments, environment: environment, input: input, timeout: timeout)
    }

    /// Applies manifests given as text.
    @discardableResult
    func apply(_ manifest: String) async throws -> CommandResult {
        try await kubectl("apply", "-f", "-", input: manifest).checked()
    }

    /// Applies a file of the labs, unchanged.
    @discardableResult
    func applyLab(_ path: String) async throws -> CommandResult {
        try await kubectl("apply", "-f", LocalMesh.labs + "/" + path).checked()
    }

    /// Runs a command in a workload's pod (`deploy/frontend`, `pod/x`).
    @discardableResult
    func exec(
        _ workload: String, namespace: String, container: String? = nil, _ arguments: String..., timeout: Int = 60
    ) async throws -> CommandResult {
        let chosen = container.map { ["-c", $0] } ?? []
        return try await kubectl(["exec", "-n", namespace, workload] + chosen + ["--"] + arguments, timeout: timeout)
    }

    /// The status code of a request made with curl inside a pod; "000" when no answer came.
    func status(
        from workload: String, namespace: String, container: String? = nil, _ curlArguments: String...
    ) async throws -> String {
        let chosen = container.map { ["-c", $0] } ?? []
        let curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20"]
        let result = try await kubectl(
            ["exec", "-n", namespace, workload] + chosen + ["--"] + curl + curlArguments)
        return String(result.out.suffix(3))
    }

    // MARK: Waiting

    func waitForDeployment(_ name: String, namespace: String, timeout: Int = 90) async throws {
        try await kubectl(
            "rollout", "status", "-n", namespace, "deployment/\(name)", "--timeout=\(timeout)s", timeout: timeout + 10
        ).checked()
    }

    /// Rows of `kubectl get pods`: name, READY and STATUS.
    func pods(namespace: String, selector: String = "") async throws -> [(name: String, ready: String, status: String)]
    {
        let filter = selector.isEmpty ? [] : ["-l", selector]
        let listing = try await kubectl(["get", "pods", "-n", namespace, "--no-headers"] + filter).checked()
        return listing.out.split(separator: "\n").compactMap { line in
            let columns = line.split(separator: " ").map(String.init)
            return columns.count >= 3 ? (columns[0], columns[1], columns[2]) : nil
        }
    }

    /// Deletes namespaces that a test made, and waits until they are gone.
    func deleteNamespaces(_ names: String...) async throws {
        try await kubectl(
            ["delete", "namespace", "--ignore-not-found", "--wait=true", "--timeout=60s"] + names, timeout: 70)
    }
}
