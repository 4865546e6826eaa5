import Foundation
import TestSupport

/// All cases put to both proxies; the tests look at the result.
///
/// What differs is put to both again, up to ``repetitions`` times: a difference that does not show each time is chance
/// (which of two ends comes first), is told on standard error, and is not a difference of the proxies.
final class DifferentialRun: Sendable {
    /// Case name to what differs, per request.
    let differences: [String: [[Difference]]]
    /// What Envoy did, for the report of a long run.
    let observations: [String: [Observation]]
    /// Case name to its configuration.
    let configurations: [String: String]

    static func shared() async throws -> DifferentialRun { try await sharedTask.value }
    private static let sharedTask = Task {
        let random = RandomCases.generate(count: RandomCases.count, seed: RandomCases.seed)
        let known = try KnownDifferences.committed()
        let supported = HandWritten.cases.filter { known.entry(for: $0.name)?.isUnsupported != true }
        let cases = supported + random
        var run = try await DifferentialRun(cases)
        for _ in 0..<repetitions {
            guard !run.unexplained(by: known).isEmpty else { break }
            // All of them: some go through the listeners and clusters of others.
            let again = try await DifferentialRun(cases)
            run = DifferentialRun(run, confirmedBy: again, known: known)
        }
        return run
    }
    /// How often a case that differs is repeated before the difference counts.
    private static let repetitions = 2

    /// Names of the cases that differ in a way that the committed list does not explain.
    private func unexplained(by known: KnownDifferences) -> Set<String> {
        Set(
            differences.filter { name, requests in
                requests.joined().contains { known.entry(for: name)?.covers($0.field) != true }
            }.keys)
    }

    /// The first run without those unexplained differences that a repetition of their cases did not show.
    private init(_ first: DifferentialRun, confirmedBy again: DifferentialRun, known: KnownDifferences) {
        differences = Dictionary(
            uniqueKeysWithValues: first.differences.map { name, requests in
                guard let repeated = again.differences[name] else { return (name, requests) }
                let entry = known.entry(for: name)
                let confirmed = zip(requests, repeated).enumerated().map { index, pair in
                    pair.0.filter { difference in
                        if entry?.covers(difference.field) == true { return true }
                        if pair.1.contains(where: { $0.field == difference.field }) { return true }
                        let line = "differential: once only: \(name), request \(index): \(difference)\n"
                        FileHandle.standardError.write(Data(line.utf8))
                        return false
                    }
                }
                return (name, confirmed)
            })
        observations = first.observations
        configurations = first.configurations
    }

    /// What `weft-proxy --mode validate` says about a bootstrap with one case alone.
    static func validate(_ one: DifferentialCase, folder: String) async throws -> CommandResult {
        let bootstrap = Bootstrap(
            upstreams: ["a": 1, "b": 2, "c": 3, "d": 4, "t": 9, "m": 10, "services": 11], deadPort: 5, adminPort: 6,
            sharedPort: 7, ports: [one.name: 8],
            address: "127.0.0.3", logPath: folder + "/log", certificates: folder)
        try await DifferentialCertificates.make(in: folder)
        try bootstrap.text([one]).write(toFile: folder + "/weft.yaml", atomically: true, encoding: .utf8)
        return try await command([Workspace.weftProxy, "--mode", "validate", "-c", folder + "/weft.yaml"])
    }

    init(_ cases: [DifferentialCase]) async throws {
        let folder = try Workspace.folder("differential")
        let record = UpstreamRecord()
        try await DifferentialCertificates.make(in: folder)
        let upstreams =
            try ["a", "b", "c", "d"].map { try RecordingUpstream(name: $0, record: record) }
            + [("t", false), ("m", true)].map { name, demands in
                let tls = try DifferentialCertificates.server(folder: folder, demandsCertificate: demands)
                return try RecordingUpstream(name: name, record: record, tls: tls)
            }
        defer { upstreams.forEach { $0.close() } }
        let own = cases.filter(\.needsListener)
        let ports = try RawListener.freePorts(own.count + 4)
        func bootstrap(_ kind: ProxyUnderTest.Kind, _ address: String) -> Bootstrap {
            Bootstrap(
                upstreams: Dictionary(
                    uniqueKeysWithValues: upstreams.map { ($0.name, $0.port) } + [("services", ports[own.count + 3])]),
                deadPort: ports[0],
                adminPort: ports[1], sharedPort: ports[2],
                ports: Dictionary(uniqueKeysWithValues: zip(own.map(\.name), ports.dropFirst(3))),
                address: address, logPath: "\(folder)/access-\(kind.rawValue).log", certificates: folder)
        }
        let services = try ServerProcess(
            "services", "/usr/bin/env",
            ["python3", Workspace.root + "Tests/DifferentialTests/services.py", "\(ports[own.count + 3])"],
            log: folder + "/services.log")
        defer { services.stop() }
        try await services.waitForPort(ports[own.count + 3])
        let envoy = try ProxyUnderTest(
            .envoy, bootstrap: bootstrap(.envoy, "127.0.0.2"), cases: cases, folder: folder, record: record)
        defer { envoy.process.stop() }
        let weft = try ProxyUnderTest(
            .weft, bootstrap: bootstrap(.weft, "127.0.0.3"), cases: cases, folder: folder, record: record)
        defer { weft.process.stop() }
        try await envoy.waitUntilReady()
        try await weft.waitUntilReady()
        let results = CaseResults()
        await onThreads(6, cases) { one in
            results.add(one.name, envoy: envoy.run(one), weft: weft.run(one))
        }
        guard weft.process.isRunning else { throw StepFailure("weft-proxy ended:\n\(weft.process.output)") }
        let logs = try await Self.logs(envoy, weft, results)
        differences = results.all.mapValues { pair in
            zip(pair.envoy, pair.weft).map { left, right in
                envoy.observation(of: left, log: logs.envoy[left.id] ?? [])
                    .differences(from: weft.observation(of: right, log: logs.weft[right.id] ?? []))
            }
        }
        observations = results.all.mapValues { pair in
            pair.envoy.map { envoy.observation(of: $0, log: logs.envoy[$0.id] ?? []) }
        }
        configurations = Dictionary(cases.map { ($0.name, $0.virtualHost) }) { first, _ in first }
    }

    private typealias Log = [String: [[String: String]]]

    /// Waits until the logs tell of every exchange that got a response; what stays missing is a difference.
    private static func logs(
        _ envoy: ProxyUnderTest, _ weft: ProxyUnderTest, _ results: CaseResults
    ) async throws -> (envoy: Log, weft: Log) {
        var pair = (envoy: envoy.logLines(), weft: weft.logLines())
        let expected = results.all.values.flatMap(\.envoy).map { String($0.id.dropFirst()) }
        for _ in 0..<30 {
            let missing = expected.contains { id in
                pair.envoy["e" + id] != nil && pair.weft["w" + id] == nil
            }
            guard missing || pair.envoy.isEmpty else { break }
            try await Task.sleep(for: .milliseconds(100))
            pair = (envoy.logLines(), weft.logLines())
        }
        return pair
    }
}

/// Collects from several threads.
private final class CaseResults: @unchecked Sendable {
    private let lock = NSLock()
    private var stored: [String: (envoy: [ProxyUnderTest.Exchange], weft: [ProxyUnderTest.Exchange])] = [:]

    func add(_ name: String, envoy: [ProxyUnderTest.Exchange], weft: [ProxyUnderTest.Exchange]) {
        lock.withLock { stored[name] = (envoy, weft) }
    }
    var all: [String: (envoy: [ProxyUnderTest.Exchange], weft: [ProxyUnderTest.Exchange])] { lock.withLock { stored } }
}
