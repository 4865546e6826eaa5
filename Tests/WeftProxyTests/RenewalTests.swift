import Testing
import WeftIR
import WeftIdentity

@testable import WeftProxy

/// What a new certificate changes in a compiled configuration, and what it leaves alone.
@Suite struct RenewalTests {
    private func secrets(_ root: CertificateSigner) throws -> [String: Secret] {
        let issued = try root.issue(
            .workload(SPIFFEIdentity(uri: "spiffe://cluster.local/ns/dev/sa/default")), validFor: 600)
        return [
            "default": Secret(
                name: "default",
                content: .certificate(
                    chainPEM: issued.chainPEM, privateKey: PrivateBytes(Array(issued.keyPEM.utf8)))),
            "ROOTCA": Secret(name: "ROOTCA", content: .validation(trustedCAPEM: try root.certificatePEM())),
        ]
    }

    private func configuration(_ addresses: String...) -> ProxyConfiguration {
        var cluster = Cluster(name: "backend", discovery: .eds(serviceName: ""))
        var tls = UpstreamTLS()
        tls.common.certificates = [.workloadCertificate]
        tls.common.validation = .workloadTrustBundle
        cluster.tls = tls
        var assignment = ClusterLoadAssignment(clusterName: "backend")
        assignment.localities = [LocalityEndpoints(endpoints: addresses.map { Endpoint(address: .ip($0, port: 80)) })]
        var configuration = ProxyConfiguration()
        configuration.clusters["backend"] = cluster
        configuration.endpoints["backend"] = assignment
        return configuration
    }

    @Test func poolsOutliveACertificateAndNothingElse() throws {
        let root = try CertificateSigner(selfSignedRoot: "weft", commonName: "root", validFor: 3_600)
        var builder = SnapshotBuilder()
        func compile(_ configuration: ProxyConfiguration, _ secrets: [String: Secret]) throws -> CompiledCluster {
            let (snapshot, problems) = builder.build(configuration, workload: secrets)
            #expect(problems == [])
            return try #require(snapshot.clusters["backend"])
        }
        let certificate = try secrets(root)
        let first = try compile(configuration("10.0.0.1"), certificate)
        #expect(try compile(configuration("10.0.0.1"), certificate) === first)
        let renewed = try compile(configuration("10.0.0.1"), secrets(root))
        #expect(renewed !== first, "new connections need the new certificate")
        #expect(renewed.lineage === first.lineage, "standing connections stay in use")
        let moved = try compile(configuration("10.0.0.2"), certificate)
        #expect(moved.lineage !== renewed.lineage)
    }
}
