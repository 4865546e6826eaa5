import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import WeftCA
import WeftConfig
import WeftCore
import WeftIdentity

@testable import WeftControlPlane
@testable import WeftKubernetes

/// `ca-crl.pem` of `cacerts`: lists that peers can use reach every namespace, others are refused with the reason.
@Suite(.timeLimit(.minutes(3))) struct RevocationListTests {
    private let folder: String
    private let lines = AuthorityTests.Lines()

    init() throws { folder = try Workspace.folder("revocation-\(UUID().uuidString)") }

    private func openssl(_ arguments: String...) async throws {
        try await command(["openssl"] + arguments).checked()
    }

    /// A root of its own, as an operator makes it; the Secret's data.
    private func root(_ name: String) async throws -> [String: String] {
        try await openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj",
            "/O=Test/CN=\(name)", "-keyout", "\(folder)/\(name).key", "-out", "\(folder)/\(name).crt")
        let certificate = try String(contentsOfFile: "\(folder)/\(name).crt", encoding: .utf8)
        let key = try String(contentsOfFile: "\(folder)/\(name).key", encoding: .utf8)
        return ["ca-cert.pem": certificate, "ca-key.pem": key, "root-cert.pem": certificate]
    }

    /// A list of the root's, with these serial numbers.
    private func list(of name: String, revoking serials: [String] = [], seconds: Int = 3_600) async throws -> String {
        let rows = serials.map { "R\t400101000000Z\t260101000000Z\t\($0)\tunknown\t/CN=x\n" }.joined()
        try Data(rows.utf8).write(to: URL(filePath: "\(folder)/index.txt"))
        let settings = "[ca]\ndefault_ca = a\n[a]\ndatabase = \(folder)/index.txt\ndefault_md = sha256\n"
        try Data(settings.utf8).write(to: URL(filePath: "\(folder)/ca.cnf"))
        try await openssl(
            "ca", "-gencrl", "-config", "\(folder)/ca.cnf", "-cert", "\(folder)/\(name).crt", "-keyfile",
            "\(folder)/\(name).key", "-crlsec", "\(seconds)", "-out", "\(folder)/\(name).crl")
        return try String(contentsOfFile: "\(folder)/\(name).crl", encoding: .utf8)
    }

    private func authority(_ secret: [String: String]) throws -> CertificateAuthority {
        try CertificateAuthority(
            trustDomain: "cluster.local", certificatePEM: secret["ca-cert.pem"] ?? "",
            keyPEM: secret["ca-key.pem"] ?? "",
            rootPEM: secret["root-cert.pem"] ?? "")
    }

    @Test func aListIsRead() async throws {
        _ = try await root("one")
        let text = try await list(of: "one", revoking: ["0A", "7F01FFEE"])
        let read = try RevocationList.all(inPEM: text)
        #expect(read.count == 1 && read[0].serialNumbers == ["0a", "7f01ffee"])
        #expect("\(read[0].issuer)".contains("one"))
        let end = try #require(read[0].nextUpdate)
        #expect((3_500...3_700).contains(end.timeIntervalSinceNow))
        #expect(try await RevocationList.all(inPEM: list(of: "one"))[0].serialNumbers == [])
    }

    @Test(arguments: ["", "text", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
    func whatIsNoListIsRefused(_ text: String) {
        #expect(throws: IdentityError.self) { try RevocationList.all(inPEM: text) }
    }

    @Test func everyAuthorityNeedsAListInForce() async throws {
        let (one, two) = (try await root("one"), try await root("two"))
        var both = one
        both["root-cert.pem"] = (one["root-cert.pem"] ?? "") + (two["root-cert.pem"] ?? "")
        let ofOne = try await list(of: "one")
        let ofTwo = try await list(of: "two")
        #expect(try authority(one).revoking(ofOne).revocationsPEM == ofOne)
        #expect(try authority(one).revoking(" \n").revocationsPEM == nil)
        #expect(try authority(both).revoking(ofOne + ofTwo).revocationsPEM == ofOne + ofTwo)
        let missing = #expect(throws: IdentityError.self) { try authority(both).revoking(ofOne) }
        #expect(missing?.message.contains("there is no list of") == true && missing?.message.contains("two") == true)
        let late = #expect(throws: IdentityError.self) {
            try authority(one).revoking(ofOne, now: Date().addingTimeInterval(7_200))
        }
        #expect(late?.message.contains("was good until") == true)
    }

    /// The name on a list can be anybody's; the signature is the authority's alone.
    @Test func aListNeedsTheAuthoritysSignature() async throws {
        let genuine = try await root("one")
        let list = try await list(of: "one")
        let impostor = try await root("one")
        let forged = #expect(throws: IdentityError.self) { try authority(impostor).revoking(list) }
        #expect(forged?.code == .badSignature && forged?.message.contains("not signed with its key") == true)
        #expect(try authority(genuine).revoking(list).revocationsPEM == list)
        // During an exchange two roots may have one name: each has its own list.
        var both = genuine
        both["root-cert.pem"] = (genuine["root-cert.pem"] ?? "") + (impostor["root-cert.pem"] ?? "")
        let other = try await self.list(of: "one")
        #expect(try authority(both).revoking(list + other).revocationsPEM == list + other)
        #expect(throws: IdentityError.self) { try authority(both).revoking(list + list) }
    }

    @Test func whatEndsIsToldInTime() async throws {
        let secret = try await root("one")
        let list = try await list(of: "one", seconds: 3_600)
        let current = CurrentAuthority(try authority(secret).revoking(list))
        let told = Mutex<[String]>([])
        let metrics = ControlPlaneMetrics()
        let watch = ExpiryWatch(authority: current, metrics: metrics, logger: lines.logger) { text in
            told.withLock { $0.append(text) }
        }
        let start = Date()
        await watch.check(now: start)
        #expect(told.withLock { $0 } == [])
        let text = metrics.text(version: "test")
        let root = try #require(try CertificateInfo.all(inPEM: secret["root-cert.pem"] ?? "").first)
        #expect(
            text.contains("citadel_server_root_cert_expiry_timestamp \(Int(root.notAfter.timeIntervalSince1970))\n"))
        #expect(text.contains("weft_ca_crl_expiry_timestamp "))
        // The last fifth of an hour; the root has two days.
        await watch.check(now: start.addingTimeInterval(3_000))
        await watch.check(now: start.addingTimeInterval(3_100))
        #expect(told.withLock { $0.count } == 1)
        #expect(told.withLock { $0.first }?.contains("revocation list of") == true)
        let log = lines.all.withLock { $0.joined(separator: "\n") }
        #expect(log.contains("warning revocation list of"), "\(log)")
        // A new list is something else; the root is near its end too by now.
        await watch.check(now: start.addingTimeInterval(1.9 * 86_400))
        #expect(told.withLock { $0 }.contains { $0.contains("root certificate") && $0.contains("Exchange the root") })
        let event = ExpiryWatch.event("text", about: self.secret(secret))
        #expect(event.json[path: "involvedObject", "name"] == "cacerts" && event.json["type"] == "Warning")
        // Without lists there is nothing of them that ends.
        _ = current.take(try authority(secret), from: "istio-system/cacerts", logger: lines.logger)
        await watch.check(now: start)
        #expect(!metrics.text(version: "test").contains("weft_ca_crl_expiry_timestamp"))
    }

    private func secret(_ data: [String: String]) -> KubernetesObject {
        let encoded = data.mapValues { JSONValue.string(Data($0.utf8).base64EncodedString()) }
        return KubernetesObject([
            "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "cacerts", "namespace": "istio-system"],
            "data": .object(encoded),
        ])
    }

    @Test func aChangedListIsPublishedAndABadOneIsNot() async throws {
        var data = try await root("one")
        let current = CurrentAuthority(try authority(data))
        #expect(current.trustFiles.keys.sorted() == ["root-cert.pem"])
        let loader = AuthorityLoader(
            client: KubernetesClient(configuration: KubernetesConfiguration(server: "http://127.0.0.1:1")),
            namespace: "istio-system", trustDomain: "cluster.local", logger: lines.logger)
        let store = ResourceStore()
        func reload() -> Bool {
            _ = store.replace(with: [secret(data)])
            return loader.reload(store, into: current)
        }
        #expect(!reload(), "nothing new")
        let first = try await list(of: "one", revoking: ["0A"])
        data["ca-crl.pem"] = first
        #expect(reload())
        #expect(current.trustFiles["ca-crl.pem"] == first)
        data["ca-crl.pem"] = "what is this"
        #expect(!reload())
        #expect(current.trustFiles["ca-crl.pem"] == first, "what was in force stays")
        let log = lines.all.withLock { $0.joined(separator: "\n") }
        #expect(log.contains("error ca-crl.pem of Secret istio-system/cacerts is NOT used"), "\(log)")
        #expect(log.contains("revocation lists replaced from Secret istio-system/cacerts"), "\(log)")
        data["ca-crl.pem"] = nil
        #expect(reload())
        #expect(current.trustFiles["ca-crl.pem"] == nil)
        try await loader.client.shutdown()
    }

    /// While roots are exchanged the bundle may begin with the other one.
    @Test func aPluggedIntermediateEndsInItsOwnRoot() async throws {
        let (one, two) = (try await root("one"), try await root("two"))
        try await openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/O=Test/CN=below",
            "-keyout", "\(folder)/below.key", "-out", "\(folder)/below.csr")
        try Data("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n".utf8).write(
            to: URL(filePath: "\(folder)/below.ext"))
        try await openssl(
            "x509", "-req", "-in", "\(folder)/below.csr", "-CA", "\(folder)/one.crt", "-CAkey", "\(folder)/one.key",
            "-CAcreateserial", "-days", "1", "-extfile", "\(folder)/below.ext", "-out", "\(folder)/below.crt")
        let certificate = try String(contentsOfFile: "\(folder)/below.crt", encoding: .utf8)
        var secret = ["ca-cert.pem": certificate]
        secret["ca-key.pem"] = try String(contentsOfFile: "\(folder)/below.key", encoding: .utf8)
        let (mine, other) = (one["root-cert.pem"] ?? "", two["root-cert.pem"] ?? "")
        secret["root-cert.pem"] = other + mine
        let identity = try SPIFFEIdentity(uri: "spiffe://cluster.local/ns/a/sa/b")
        let request = try SigningRequest(pem: SigningRequest.make(identity: identity, key: SigningKey()))
        let chain = try authority(secret).issue(request, for: identity)
        #expect(chain.count == 3)
        #expect(try CertificateInfo.all(inPEM: chain[2]) == CertificateInfo.all(inPEM: mine))
        // Peers who know that root alone take it.
        let names = try await PeerVerifier(trustBundlePEM: mine).identity(
            ofChain: CertificatePEM.parse(chain.dropLast().joined()))
        #expect(names == identity)
        // A list of the root alone leaves the step below it unchecked.
        secret["root-cert.pem"] = mine
        let listOfRoot = try await list(of: "one")
        let missing = #expect(throws: IdentityError.self) { try authority(secret).revoking(listOfRoot) }
        #expect(missing?.message.contains("below") == true)
        secret["root-cert.pem"] = other
        let untrusted = #expect(throws: IdentityError.self) { try authority(secret) }
        #expect(untrusted?.message.contains("no root of root-cert.pem has signed the chain") == true)
    }
}
