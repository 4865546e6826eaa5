import Crypto
import FoundationEssentials
import NIOCore
import WeftAnalysis
import WeftConfig
import WeftCore
import WeftDashboard
import WeftKubernetes
import WeftTranslate

/// Checks and changes the mesh's configuration for the dashboard, with the token of the person who asks (ADR 0066).
struct ConfigurationEditor: DashboardEditor {
    let client: KubernetesClient
    let sources: ClusterSources

    /// One object of a manifest, and what came of it.
    private struct Item {
        var object: KubernetesObject
        var source: SourceMap
    }

    /// What a check found so far.
    private struct Outcome {
        var items: [Item] = []
        var findings: [JSONValue] = []
        var hasErrors = false

        mutating func add(
            _ severity: Diagnostic.Severity, _ code: String, _ text: String, path: String? = nil, line: Int? = nil,
            hint: String? = nil
        ) {
            var finding: JSONValue = [
                "severity": .string(severity.rawValue.lowercased()), "code": .string(code), "text": .string(text),
            ]
            if let path, !path.isEmpty { finding["path"] = .string(path) }
            if let line { finding["line"] = .int(Int64(line)) }
            if let hint { finding["hint"] = .string(hint) }
            findings.append(finding)
            if severity == .error { hasErrors = true }
        }

        mutating func add(_ diagnostic: Diagnostic, in item: Item?) {
            let line = item?.source.location(of: diagnostic.path ?? "")?.line
            let about = item == nil ? diagnostic.resource.map { "\($0): " } ?? "" : ""
            add(
                diagnostic.severity, diagnostic.code, about + diagnostic.message, path: diagnostic.path, line: line,
                hint: diagnostic.hint)
        }
    }

    // MARK: - DashboardEditor

    func check(_ manifest: String, version: String?, token: String?) async -> JSONValue {
        var outcome = await review(manifest)
        let isAsked = token != nil && !outcome.hasErrors
        if let token, isAsked { _ = await send(&outcome, version, token, dryRun: true) }
        return document(outcome, ["server": .bool(isAsked)])
    }

    func apply(_ manifest: String, version: String?, token: String) async -> JSONValue {
        var outcome = await review(manifest)
        // Nothing is changed unless all of it would be taken.
        var applied = !outcome.hasErrors && !outcome.items.isEmpty
        if applied { applied = await send(&outcome, version, token, dryRun: true) }
        if applied { applied = await send(&outcome, version, token, dryRun: false) }
        return document(outcome, ["server": true, "applied": .bool(applied)])
    }

    func delete(_ reference: ResourceReference, group: String, token: String) async throws(DashboardRefusal) {
        do {
            guard let kind = Self.kinds.first(where: { $0.kind == reference.kind && $0.group == group }) else {
                throw DashboardRefusal(status: 400, words: "\(reference) is no object of the mesh's configuration")
            }
            let client = try client.acting(with: token)
            let resource = try await client.requireResource(for: kind)
            try await client.delete(resource, namespace: reference.namespace, name: reference.name)
        } catch { throw Self.refusal(error) }
    }

    func log(_ question: LogQuestion, token: String) async throws(DashboardRefusal) -> [UInt8] {
        do {
            let text = try await client.acting(with: token).logText(
                namespace: question.namespace, pod: question.pod, container: question.container,
                tailLines: question.lines, since: question.since)
            return Array(text.readableBytesView)
        } catch { throw Self.refusal(error) }
    }

    func certificates(namespace: String, pod: String, token: String) async throws(DashboardRefusal) -> JSONValue {
        do {
            let client = try client.acting(with: token)
            var problem = ""
            for command in ProxyAdminCommand.all("GET", "/certs", agent: Self.agent) {
                do {
                    let result = try await client.exec(
                        namespace: namespace, pod: pod, container: ProxyAdminCommand.container, command: command)
                    if result.exitCode == 0, let told = try? JSONValue(parsing: result.output.utf8),
                        let document = CertificateDocument.make(told)
                    {
                        return document
                    }
                    problem = result.errorOutput.isEmpty ? result.output : result.errorOutput
                } catch let error as KubernetesError where ![401, 403, 404].contains(error.code) {
                    // The container lacks this command.
                    problem = error.message
                }
            }
            throw DashboardRefusal(
                status: 502, words: "the proxy of \(namespace)/\(pod) tells no certificates: \(problem.prefix(300))")
        } catch { throw Self.refusal(error) }
    }

    /// The agent of this build, beside this executable.
    private static var agent: String {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "/weftd"
        return own.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/weft-proxy"
    }

    private static func refusal(_ error: any Error) -> DashboardRefusal {
        switch error {
        case let error as DashboardRefusal: error
        case let error as KubernetesError:
            DashboardRefusal(status: error.code, words: "the API server refuses: \(error.message)")
        default: DashboardRefusal(status: 502, words: "the API server does not answer: \(error)")
        }
    }

    // MARK: - What this process knows

    private static let kinds = ClusterSources.istioKinds + ClusterSources.gatewayKinds

    /// Reads, validates as `weft` and admission do, and analyses with what the cluster has.
    private func review(_ manifest: String) async -> Outcome {
        var outcome = Outcome()
        let (objects, errors) = ManifestReader.readable(in: manifest)
        for read in objects { take(read, into: &outcome) }
        for error in errors { outcome.add(.error, "YAML", error.message, line: error.location.line) }
        if outcome.items.isEmpty, !outcome.hasErrors {
            outcome.add(.error, "YAML", "there is no object in this text", hint: "begin with apiVersion and kind")
        }
        for item in outcome.items {
            for finding in Admission.review(item.object) { outcome.add(finding, in: item) }
        }
        guard !outcome.hasErrors else { return outcome }
        let present = sources.objects
        let (items, edited) = (outcome.items, outcome.items.map(\.object))
        let references = Set(edited.map(\.reference))
        let changed = present.filter { !references.contains($0.reference) } + edited
        let before = await Self.analyze(present)
        for finding in await Self.analyze(changed) {
            let item = items.first { $0.object.reference == finding.resource }
            // What is wrong elsewhere matters here if this change makes it so.
            if item == nil, before.contains(finding) { continue }
            var finding = finding
            // The API server takes what analysis doubts: it may become right by the next object.
            if finding.severity == .error { finding.severity = .warning }
            outcome.add(finding, in: item)
        }
        return outcome
    }

    private func take(_ read: ManifestObject, into outcome: inout Outcome) {
        var object = read.object
        let line = read.source.location(of: "")?.line
        guard !object.kind.isEmpty, !object.apiVersion.isEmpty else {
            return outcome.add(.error, "YAML", "apiVersion or kind is missing", line: line)
        }
        let group = object.group
        guard Self.kinds.contains(where: { $0.kind == object.kind && $0.group == group }) else {
            return outcome.add(
                .error, "YAML", "\(object.kind) of \(object.apiVersion) is no object of the mesh's configuration",
                path: "kind", line: read.source.location(of: "kind")?.line, hint: "apply it with kubectl")
        }
        guard !object.name.isEmpty else {
            return outcome.add(.error, "YAML", "metadata.name is missing", path: "metadata.name", line: line)
        }
        if object.namespace.isEmpty, object.kind != "GatewayClass" {
            object.json[path: "metadata", "namespace"] = "default"
        }
        outcome.items.append(Item(object: object, source: read.source))
    }

    @concurrent private static func analyze(_ objects: [KubernetesObject]) async -> Set<Diagnostic> {
        Set(Analysis.run(AnalysisContext(objects: objects)))
    }

    // MARK: - What the API server says

    /// - Returns: whether the server took everything.
    private func send(_ outcome: inout Outcome, _ version: String?, _ token: String, dryRun: Bool) async -> Bool {
        for item in outcome.items {
            do {
                try await send(item.object, outcome.items.count == 1 ? version : nil, token, dryRun: dryRun)
            } catch let error as KubernetesError {
                let causes = error.status?[path: "details", "causes"]?.arrayValue ?? []
                for cause in causes {
                    let path = cause["field"]?.stringValue ?? ""
                    outcome.add(
                        .error, cause["reason"]?.stringValue ?? error.reason,
                        cause["message"]?.stringValue ?? error.message, path: path,
                        line: item.source.location(of: path)?.line)
                }
                if causes.isEmpty { outcome.add(.error, error.reason, error.message, hint: Self.hint(error)) }
            } catch {
                outcome.add(.error, "Unreachable", "the API server does not answer: \(error)", hint: "try again")
            }
        }
        return !outcome.hasErrors
    }

    private static func hint(_ error: KubernetesError) -> String? {
        switch error.code {
        case 401: "the token is not good: is it expired? kubectl create token ACCOUNT makes a new one"
        case 403: "give the token's account a role that may do this"
        case 409: "open the object again to see what was changed"
        default: nil
        }
    }

    private func send(_ object: KubernetesObject, _ version: String?, _ token: String, dryRun: Bool) async throws {
        let client = try client.acting(with: token)
        let resource = try await client.requireResource(for: object.groupVersionKind)
        var attempts = 5
        while true {
            let present: KubernetesObject
            do {
                present = try await client.get(resource, namespace: object.namespace, name: object.name)
            } catch let error as KubernetesError where error.isNotFound {
                _ = try await client.create(resource, object, dryRun: dryRun)
                return
            }
            if let version, version != Self.version(of: present) {
                throw KubernetesError(
                    code: 409, reason: "Conflict", message: "\(present.reference) was changed since it was opened")
            }
            attempts -= 1
            do {
                _ = try await client.update(resource, Self.replacing(present, by: object), dryRun: dryRun)
                return
            } catch let error as KubernetesError where error.code == 409 && attempts > 0 {
                // Something was written since it was read: its status, most likely, which is looked at above.
            }
        }
    }

    /// Tells one state of what people write in an object from another. Status is no part of it: that is written just
    /// when somebody has made a change and goes on to the next.
    static func version(of object: KubernetesObject) -> String {
        var annotations = object.json[path: "metadata", "annotations"] ?? [:]
        annotations[lastApplied] = nil
        let written: JSONValue = [
            "uid": .string(object.uid), "spec": object.json["spec"] ?? [:],
            "labels": object.json[path: "metadata", "labels"] ?? [:], "annotations": annotations,
        ]
        return SHA256.hash(data: written.serialized()).prefix(16).map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }

    private static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

    /// The object with the edited `spec`, labels and annotations; owners, finalizers and status stay.
    static func replacing(_ present: KubernetesObject, by edited: KubernetesObject) -> KubernetesObject {
        var json = present.json
        json["apiVersion"] = edited.json["apiVersion"]
        json["spec"] = edited.json["spec"]
        json[path: "metadata", "labels"] = edited.json[path: "metadata", "labels"]
        var annotations = edited.json[path: "metadata", "annotations"] ?? [:]
        if let kept = present.annotations[lastApplied] { annotations[lastApplied] = .string(kept) }
        json[path: "metadata", "annotations"] = annotations
        return KubernetesObject(json)
    }

    private func document(_ outcome: Outcome, _ more: JSONValue) -> JSONValue {
        var document = more
        document["findings"] = .array(outcome.findings)
        document["objects"] = .array(
            outcome.items.map { item in
                let informer = (sources.istio + sources.gatewayAPI).first {
                    $0.kind.kind == item.object.kind && $0.kind.group == item.object.group
                }
                let isThere = informer?.store[item.object.namespace, item.object.name] != nil
                return [
                    "group": .string(item.object.group), "kind": .string(item.object.kind),
                    "namespace": .string(item.object.namespace), "name": .string(item.object.name),
                    "exists": .bool(isThere),
                ]
            })
        return document
    }
}
