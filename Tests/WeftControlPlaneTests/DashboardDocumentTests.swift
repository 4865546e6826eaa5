import Testing
import WeftConfig
import WeftCore

@testable import WeftControlPlane

@Suite struct DashboardDocumentTests {
    private func gateway(_ version: String, _ marker: String) -> KubernetesObject {
        KubernetesObject([
            "apiVersion": .string(version), "kind": "Gateway", "metadata": ["name": "edge", "namespace": "shop"],
            "spec": ["marker": .string(marker)],
        ])
    }

    /// Istio and the Gateway API both have a `Gateway`: each is found by its group.
    @Test func objectsOfTwoAPIsAreToldApart() {
        let documents = ConfigurationDocument(
            objects: [
                gateway("networking.istio.io/v1", "istio"), gateway("gateway.networking.k8s.io/v1", "kubernetes"),
            ], findings: [])
        #expect(
            documents.list.arrayValue?.compactMap { $0["group"]?.stringValue }
                == ["networking.istio.io", "gateway.networking.k8s.io"])
        let wanted = ResourceReference(kind: "Gateway", namespace: "shop", name: "edge")
        for (group, marker) in [
            ("networking.istio.io", "istio"), ("gateway.networking.k8s.io", "kubernetes"), (nil, "istio"),
        ] {
            let found = documents.document(of: wanted, group: group)
            #expect(found?[path: "object", "spec", "marker"]?.stringValue == marker)
        }
        #expect(documents.document(of: wanted, group: "other.io") == nil)
    }

    /// Envoy's `/certs` tells a chain once for each context; what the page gets has each certificate once, and no key.
    @Test func certificatesAreToldOnce() throws {
        func one(_ serial: String, _ name: String, _ kind: String) -> JSONValue {
            [
                "serial_number": .string(serial), "subject_alt_names": [[kind: .string(name)]],
                "valid_from": "2026-01-01T00:00:00Z", "expiration_time": "2026-01-02T00:00:00Z",
                "private_key": "never told",
            ]
        }
        let group: JSONValue = [
            "ca_cert": [one("1", "", "dns")], "cert_chain": [one("2", "spiffe://cluster.local/ns/a/sa/b", "uri")],
        ]
        let document = try #require(CertificateDocument.make(["certificates": [group, group]]))
        #expect(document.arrayValue?.compactMap { $0["use"]?.stringValue } == ["chain", "root"])
        #expect(document[0]?["names"] == ["spiffe://cluster.local/ns/a/sa/b"])
        #expect(document[0]?["until"] == "2026-01-02T00:00:00Z")
        #expect(!document.text().contains("never told"))
        #expect(CertificateDocument.make(["error": "no"]) == nil)
    }
}
