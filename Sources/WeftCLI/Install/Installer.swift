import Glibc
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftManifests

/// Applies objects in order and waits for what they start, telling how far it is.
struct Installer {
    let client: KubernetesClient
    var progress: (String) -> Void = say
    /// How long webhooks may stay away and pods may take.
    var patience = Duration.seconds(120)

    /// Server-side apply of every object, custom kinds first and served before the rest goes on.
    func apply(_ objects: [KubernetesObject]) async throws {
        let definitions = objects.filter { $0.kind == "CustomResourceDefinition" }
        for object in definitions where try await mayOwn(object) { try await apply(object) }
        for definition in definitions { try await waitUntilServed(definition) }
        for object in objects where object.kind != "CustomResourceDefinition" {
            try await apply(object)
        }
    }

    /// The Gateway API's kinds belong to whoever brought them: those that are there already stay as they are.
    func mayOwn(_ definition: KubernetesObject) async throws -> Bool {
        guard definition.name.hasSuffix(".gateway.networking.k8s.io") else { return true }
        do {
            let stored = try await client.get(.customResourceDefinitions, name: definition.name)
            return stored.labels["app.kubernetes.io/part-of"] == "weft"
        } catch let error as KubernetesError where error.isNotFound {
            return true
        }
    }

    private func apply(_ object: KubernetesObject) async throws {
        let deadline = ContinuousClock.now + patience
        while true {
            do {
                let resource = try await client.requireResource(for: object.groupVersionKind)
                _ = try await client.apply(resource, object, fieldManager: "weft")
                return
            } catch let error as KubernetesError where Self.passes(error) && ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(200))
            } catch let error as KubernetesError {
                throw CommandFailure("cannot apply \(object.reference): \(error.message)")
            }
        }
    }

    /// Errors of a cluster that is still starting: a webhook without endpoints, a conflict, a kind not served yet.
    static func passes(_ error: KubernetesError) -> Bool {
        error.message.contains("failed calling webhook") || error.isConflict || error.code == 429 || error.code == 503
            || error.message.contains("no matches for kind")
    }

    private func waitUntilServed(_ definition: KubernetesObject) async throws {
        try await wait("\(definition.name) is served") {
            let stored = try await client.get(.customResourceDefinitions, name: definition.name)
            return Self.isTrue("Established", stored) ? nil : "not established"
        }
    }

    static func isTrue(_ condition: String, _ object: KubernetesObject) -> Bool {
        (object.json[path: "status", "conditions"]?.arrayValue ?? []).contains {
            $0["type"]?.stringValue == condition && $0["status"]?.stringValue == "True"
        }
    }

    /// Waits until each Deployment has all its replicas ready, by the pods themselves.
    func waitForDeployments(_ names: [String], namespace: String) async throws {
        for name in names {
            let start = ContinuousClock.now
            try await wait("deployment \(namespace)/\(name)") {
                let deployment = try await client.get(.deployments, namespace: namespace, name: name)
                let labels = deployment.json[path: "spec", "selector", "matchLabels"]?.objectValue ?? [:]
                let selector = labels.map { "\($0.key)=\($0.value.stringValue ?? "")" }.sorted().joined(separator: ",")
                let pods = try await client.list(
                    .pods, namespace: namespace, options: ListOptions(labelSelector: selector)
                ).items.filter { $0.deletionTimestamp == nil }
                let wanted = deployment.json[path: "spec", "replicas"]?.intValue ?? 1
                return PodHealth.problem(of: pods, wanted: wanted)
            }
            progress("✔ \(namespace)/\(name) ready (\(Self.seconds(since: start)))")
        }
    }

    /// Polls until `problem` returns `nil`; a time-out names the last problem.
    func wait(_ what: String, _ problem: () async throws -> String?) async throws {
        let deadline = ContinuousClock.now + patience
        var last = ""
        while true {
            do {
                guard let found = try await problem() else { return }
                last = found
            } catch let error as KubernetesError {
                last = error.message
            }
            guard ContinuousClock.now < deadline else {
                throw CommandFailure("\(what) was not ready within \(patience.components.seconds) s: \(last)")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    static func seconds(since start: ContinuousClock.Instant) -> String {
        let duration = ContinuousClock.now - start
        let tenths = duration.components.seconds * 10 + duration.components.attoseconds / 100_000_000_000_000_000
        return "\(tenths / 10).\(tenths % 10) s"
    }
}

/// Prints a line at once, also into a pipe: progress that comes late is none.
func say(_ line: String) {
    print(line)
    fflush(nil)
}

/// What keeps pods from being ready, in the words of their statuses. Pure.
enum PodHealth {
    /// `nil` when `wanted` pods are ready.
    static func problem(of pods: [KubernetesObject], wanted: Int) -> String? {
        let ready = pods.filter { Installer.isTrue("Ready", $0) }.count
        if ready >= wanted { return nil }
        let reasons = pods.filter { !Installer.isTrue("Ready", $0) }.map { "pod \($0.name): \(reason($0))" }
        return reasons.isEmpty ? "\(ready) of \(wanted) pods exist" : reasons.joined(separator: "; ")
    }

    private static func reason(_ pod: KubernetesObject) -> String {
        let status = pod.json["status"]
        let containers =
            (status?["initContainerStatuses"]?.arrayValue ?? [])
            + (status?["containerStatuses"]?.arrayValue ?? [])
        for container in containers where container["ready"]?.boolValue != true {
            let name = container["name"]?.stringValue ?? ""
            for state in ["waiting", "terminated"] {
                guard let details = container[path: "state", state] else { continue }
                let words = [details["reason"], details["message"]].compactMap { $0?.stringValue }
                if words.first != "Completed" { return "container \(name) \(words.joined(separator: ": "))" }
            }
        }
        return status?["phase"]?.stringValue ?? "Pending"
    }
}
