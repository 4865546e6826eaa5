import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Hosts that only the mesh knows, and what EnvoyFilters change.
    @Suite(.serialized) struct RegistryFeatureTests {
        private static let namespace = "registry"
        private static let capture = #"{proxy.istio.io/config: 'proxyMetadata: {ISTIO_META_DNS_CAPTURE: "true"}'}"#

        private static let caller = Task {
            let mesh = try await LocalMesh.shared()
            try await mesh.start(
                namespace: namespace,
                [
                    Manifests.sample(
                        name: "echo-v1", app: "echo", version: "v1", namespace: namespace,
                        arguments: ["echo", "--port", "9080"]),
                    Manifests.client(namespace: namespace, annotations: capture), entry, filter,
                ])
            return Caller(mesh: mesh, namespace: namespace)
        }

        /// A host that no DNS server knows, in front of the pods.
        private static let entry = """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: made-up, namespace: registry}
            spec:
              hosts: [made.up.example]
              location: MESH_INTERNAL
              resolution: STATIC
              ports:
              - {number: 8080, name: http, protocol: HTTP, targetPort: 9080}
              - {number: 8081, name: tcp, protocol: TCP, targetPort: 9080}
              workloadSelector: {labels: {app: echo}}
            """

        private static let filter = """
            apiVersion: networking.istio.io/v1alpha3
            kind: EnvoyFilter
            metadata: {name: mark, namespace: registry}
            spec:
              priority: 1
              workloadSelector: {labels: {app: client}}
              configPatches:
              - applyTo: HTTP_FILTER
                match:
                  context: SIDECAR_OUTBOUND
                  listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}}
                patch:
                  operation: INSERT_FIRST
                  value:
                    name: mark
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
                      mutations:
                        response_mutations: [{append: {header: {key: x-patched, value: "yes"}}}]
              - applyTo: CLUSTER
                match: {cluster: {name: nowhere}}
                patch: {operation: REMOVE}
            """

        @Test func theProxyAnswersForHostsThatOnlyTheMeshKnows() async throws {
            let caller = try await Self.caller.value
            // By HTTP, where the host counts, and by TCP, where only the allocated address does.
            for port in [8080, 8081] {
                try await eventually("made.up.example:\(port) is there") {
                    try await caller.codes(["http://made.up.example:\(port)/"]) == ["200"] ? true : nil
                }
            }
            let status = try await caller.mesh.kubectl(
                "get", "serviceentry", "-n", Self.namespace, "made-up", "-o", "jsonpath={.status.addresses[0].value}"
            ).checked()
            #expect(status.out.hasPrefix("240.240."))
        }

        @Test func patchesAreObeyedAndMissesAreTold() async throws {
            let caller = try await Self.caller.value
            try await eventually("the patched listener answers") {
                try await caller.get("http://made.up.example:8080/").headers["x-patched"] == "yes" ? true : nil
            }
            try await eventually("the status names the patch that matches nothing") {
                let status = try await caller.mesh.kubectl(
                    "get", "envoyfilter", "-n", Self.namespace, "mark", "-o", "jsonpath={.status}"
                ).checked()
                return status.out.contains("configPatches[1]") && status.out.contains("matches nothing") ? true : nil
            }
        }
    }
}
