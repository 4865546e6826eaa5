import Testing
import WeftConfig
import WeftCore

@testable import WeftAnalysis

/// What admission says of the values of an EnvoyFilter's patches: each with its path, so that the line can be told.
struct AdmissionTests {
    private static let yaml = """
        apiVersion: networking.istio.io/v1alpha3
        kind: EnvoyFilter
        metadata: {name: f, namespace: dev}
        spec:
          configPatches:
          - applyTo: CLUSTER
            patch:
              operation: MERGE
              value:
                connectTimeout: 5
                lb_policy: FASTEST
                conect_timeout: 5s
          - applyTo: HTTP_FILTER
            patch:
              operation: INSERT_FIRST
              value:
                name: lua
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          - applyTo: HTTP_FILTER
            patch:
              operation: INSERT_FIRST
              value:
                name: limit
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
          - applyTo: CLUSTER
            patch: {operation: REMOVE}
          - applyTo: HTTP_FILTER
            match: {listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}}}
            patch:
              operation: INSERT_FIRST
              value:
                name: limit
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
                  max_request_bytes: 9
        """

    @Test func valuesOfPatchesAreRead() throws {
        let manifest = try #require(try ManifestReader.objects(in: Self.yaml).first)
        let found = Admission.validate(manifest.object).filter { $0.path?.contains("patch.value") == true }
        let said = found.map { finding in
            let line = finding.path.flatMap { manifest.source.location(of: $0)?.line } ?? 0
            return "\(finding.severity.rawValue) \(line) \(finding.path ?? "")"
        }
        #expect(
            said.sorted() == [
                "Error 10 spec.configPatches[0].patch.value.connectTimeout",
                "Error 11 spec.configPatches[0].patch.value.lb_policy",
                "Error 23 spec.configPatches[2].patch.value",
                "Warning 12 spec.configPatches[0].patch.value.conect_timeout",
                "Warning 19 spec.configPatches[1].patch.value.typed_config.@type",
            ])
        #expect(found.allSatisfy { $0.hint != nil })
    }

    /// An object of another group has no patches of ours, and one whose patches are malformed is no reason to stop.
    @Test(
        arguments: [
            "{apiVersion: example.com/v1, kind: EnvoyFilter, metadata: {name: f}, spec: {configPatches: [{applyTo: CLUSTER, patch: {operation: MERGE, value: {x: 1}}}]}}",
            "{apiVersion: networking.istio.io/v1alpha3, kind: EnvoyFilter, metadata: {name: f}, spec: {configPatches: [1, {patch: 2}, {applyTo: CLUSTER, patch: {value: 3}}]}}",
        ])
    func readsNothingElse(_ yaml: String) throws {
        let object = try #require(try ManifestReader.objects(in: yaml).first?.object)
        #expect(Admission.validate(object).allSatisfy { $0.path?.contains("patch.value.") != true })
    }
}
