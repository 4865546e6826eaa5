import Testing
import WeftIdentity

@Suite struct SPIFFEIdentityTests {
    @Test func parsesAndPrints() throws {
        let identity = try SPIFFEIdentity(uri: "spiffe://cluster.local/ns/bookinfo/sa/bookinfo-reviews")
        #expect(identity.trustDomain == "cluster.local")
        #expect(identity.namespace == "bookinfo")
        #expect(identity.serviceAccount == "bookinfo-reviews")
        #expect(identity.uri == "spiffe://cluster.local/ns/bookinfo/sa/bookinfo-reviews")
    }

    @Test(arguments: [
        "", "spiffe://", "spiffe://td/ns/a", "spiffe://td/ns//sa/b", "spiffe://td/ns/a/sa/b/c", "http://td/ns/a/sa/b",
        "spiffe://td/sa/a/ns/b", "spiffe:///ns/a/sa/b", "spiffe://td/ns/a b/sa/c", "spiffe://td/ns/a/sa/b?x",
    ])
    func refuses(_ uri: String) {
        #expect(throws: IdentityError.self) { try SPIFFEIdentity(uri: uri) }
    }

    @Test func readsKubernetesUserNames() throws {
        let identity = try SPIFFEIdentity(
            kubernetesUserName: "system:serviceaccount:dev:default", trustDomain: "cluster.local")
        #expect(identity.uri == "spiffe://cluster.local/ns/dev/sa/default")
        #expect(throws: IdentityError.self) {
            try SPIFFEIdentity(kubernetesUserName: "kubernetes-admin", trustDomain: "cluster.local")
        }
    }
}
