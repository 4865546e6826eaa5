import Foundation
import TestSupport

/// One HTTP answer, read from what `curl -i` printed.
struct Answer: CustomStringConvertible {
    /// 0 when no answer came.
    var status = 0
    /// Names in lower case; several values of one name are joined with a comma. Trailers are among them.
    var headers: [String: String] = [:]
    var body = ""
    var description: String

    /// - Parameter text: the last head counts, as after `100 Continue`.
    init(_ text: String) {
        description = text
        var rest = text.replacingOccurrences(of: "\r\n", with: "\n")[...]
        while rest.hasPrefix("HTTP/") {
            let end = rest.range(of: "\n\n")
            let head = rest[..<(end?.lowerBound ?? rest.endIndex)].split(separator: "\n")
            rest = rest[(end?.upperBound ?? rest.endIndex)...]
            status = head.first.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
            headers = [:]
            read(head.dropFirst())
        }
        body = String(rest)
    }

    private mutating func read(_ lines: ArraySlice<Substring>) {
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon].lowercased()
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            headers[name] = headers[name].map { "\($0),\(value)" } ?? value
        }
    }

    /// A member of the JSON that the sample `echo` answers with, by its path.
    func echoed(_ path: String...) -> String? {
        var value = try? JSONSerialization.jsonObject(with: Data(body.utf8))
        for name in path { value = (value as? [String: Any])?[name] }
        return value as? String
    }
}

/// A pod in which tests run curl.
struct Caller: Sendable {
    let mesh: LocalMesh
    let namespace: String
    var workload = "deploy/client"
    var container = "curl"

    /// The answer to one request; status 0 if there was none.
    func get(_ arguments: String...) async throws -> Answer {
        let curl = ["curl", "-s", "-i", "--max-time", "20"]
        return Answer(try await run(curl + arguments).out)
    }

    /// The status codes of requests, each given as its curl arguments, made one after the other.
    func codes(_ requests: [String]) async throws -> [String] {
        try await lines(requests, format: "%{http_code}")
    }

    /// What curl's `-w` prints after each request.
    func lines(_ requests: [String], format: String) async throws -> [String] {
        let script = requests.map { "curl -s -o /dev/null -w '\(format)\\n' --max-time 20 \($0)" }
        return try await shell(script.joined(separator: "\n")).split(separator: "\n").map(String.init)
    }

    /// What a script prints; bash has `/dev/tcp`.
    func shell(_ script: String, timeout: Int = 120) async throws -> String {
        try await run(["bash", "-c", script], timeout: timeout).out
    }

    private func run(_ arguments: [String], timeout: Int = 60) async throws -> CommandResult {
        try await mesh.kubectl(
            ["exec", "-n", namespace, workload, "-c", container, "--"] + arguments, timeout: timeout)
    }

    /// Whether the caller's own sidecar has logged a line with this text.
    func sidecarLogged(_ text: String) async throws {
        try await eventually("the access log has '\(text)'") {
            let log = try await mesh.kubectl(
                "logs", "-n", namespace, workload, "-c", "istio-proxy", "--tail=2000"
            ).checked()
            return log.out.contains(text) ? true : nil
        }
    }
}

extension LocalMesh {
    /// Makes a namespace with its workloads, and waits until they are ready.
    ///
    /// A suite does this once and leaves the namespace to the end of the mesh.
    func start(namespace: String, injected: Bool = true, _ manifests: [String]) async throws {
        let labels = injected ? "{istio-injection: enabled}" : "{}"
        let own = "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(namespace), labels: \(labels)}"
        try await apply(([own] + manifests).joined(separator: "\n---\n"))
        let waited = try await kubectl(
            "wait", "-n", namespace, "--for=condition=Available", "deployments", "--all", "--timeout=180s", timeout: 190
        )
        guard waited.status != 0 else { return }
        throw NotReady(said: waited.err, pods: try await unreadyPods(namespace: namespace))
    }

    /// Pods that were not ready in time, with what their proxies said.
    private struct NotReady: Error, CustomStringConvertible {
        var said: String
        var pods: String
        var description: String { said + pods }
    }

    private func unreadyPods(namespace: String) async throws -> String {
        var text = ""
        for pod in try await pods(namespace: namespace) where pod.ready != "2/2" {
            let log = try await kubectl("logs", "-n", namespace, pod.name, "-c", "istio-proxy", "--tail=30")
            text += "\(pod.name) \(pod.ready) \(pod.status):\n\(log.out)\(log.err)\n"
        }
        return text
    }
}
