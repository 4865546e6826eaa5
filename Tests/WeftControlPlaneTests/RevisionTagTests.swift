import Testing
import WeftConfig
import WeftCore
import WeftKubernetes

@testable import WeftControlPlane

/// Labels `istio.io/rev` of configuration name a revision by its name or by a tag.
@Suite struct RevisionTagTests {
    private func rule(_ name: String, _ label: String?) -> KubernetesObject {
        var labels: JSONValue = [:]
        labels["istio.io/rev"] = label.map { .string($0) }
        return KubernetesObject([
            "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
            "metadata": ["name": .string(name), "namespace": "shop", "labels": labels], "spec": ["host": "x"],
        ])
    }

    private func tag(_ name: String, _ revision: String) -> KubernetesObject {
        KubernetesObject([
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": [
                "name": .string("istio-revision-tag-\(name)"),
                "labels": ["istio.io/tag": .string(name), "istio.io/rev": .string(revision)],
            ],
        ])
    }

    /// What a control plane of the revision knows of two tags and of configuration with every label.
    private func withSources(_ revision: String, _ body: (ClusterSources) throws -> Void) async throws {
        let client = KubernetesClient(configuration: KubernetesConfiguration(server: "http://127.0.0.1:1"))
        let sources = ClusterSources(
            client: client, namespace: "istio-system", revision: revision, signal: ChangeSignal())
        let rules = sources.istio.first { $0.kind.kind == "DestinationRule" }
        _ = rules?.store.replace(
            with: [nil, "default", "canary", "prod", "test"].map { rule($0 ?? "everybody", $0) })
        _ = sources.tags.store.replace(with: [tag("prod", "default"), tag("test", "canary")])
        let outcome = Result { try body(sources) }
        try await client.shutdown()
        try outcome.get()
    }

    @Test(arguments: [
        ("default", ["default", "everybody", "prod"]), ("canary", ["canary", "everybody", "test"]),
        ("other", ["everybody"]),
    ])
    func configurationIsOfTheRevisionAndItsTags(_ revision: String, _ obeyed: [String]) async throws {
        try await withSources(revision) { #expect($0.configuration.map(\.name).sorted() == obeyed) }
    }

    @Test func aTagThatMovesTakesItsConfigurationAlong() async throws {
        try await withSources("canary") { sources in
            _ = sources.tags.store.replace(with: [tag("prod", "canary")])
            #expect(sources.configuration.map(\.name).sorted() == ["canary", "everybody", "prod"])
            let ownership = Ownership(
                revision: "canary", names: { sources.names }, ofRevision: Leadership(isLeader: true))
            #expect(ownership.mayWrite(rule("a", "prod")) && ownership.mayWrite(rule("a", "canary")))
            #expect(!ownership.mayWrite(rule("a", "test")) && !ownership.mayWrite(rule("a", nil)))
            _ = sources.tags.store.replace(with: [tag("prod", "default")])
            #expect(!ownership.mayWrite(rule("a", "prod")))
        }
    }
}
