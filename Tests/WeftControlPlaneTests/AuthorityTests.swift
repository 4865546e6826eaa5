import FoundationEssentials
import Logging
import Synchronization
import Testing
import WeftCA
import WeftConfig
import WeftIdentity

@testable import WeftControlPlane
@testable import WeftKubernetes

/// Certificates that change while the control plane runs.
@Suite struct AuthorityTests {
    /// Keeps what was logged.
    final class Lines: Sendable {
        let all = Mutex<[String]>([])
        var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

        struct Handler: LogHandler {
            let lines: Lines
            var metadata: Logger.Metadata = [:]
            var logLevel = Logger.Level.trace
            subscript(metadataKey key: String) -> Logger.MetadataValue? {
                get { metadata[key] }
                set { metadata[key] = newValue }
            }
            func log(event: LogEvent) { lines.all.withLock { $0.append("\(event.level) \(event.message)") } }
        }
    }

    @Test func aRenewedServingCertificateIsAnotherOneOfTheSameAuthority() throws {
        let authority = CurrentAuthority(try CertificateAuthority(selfSignedFor: "cluster.local"))
        let serving = try ServingCertificate(
            authority: authority, namespace: "istio-system", revision: "default", lifetime: 60)
        let first = serving.current
        try serving.renew()
        #expect(serving.current != first)
        let info = try #require(CertificateInfo.all(inPEM: serving.current.chainPEM).first)
        #expect(info.dnsNames.contains("istiod.istio-system.svc"))
        #expect(info.notAfter.timeIntervalSinceNow < 61)
        #expect(info.serialNumber != (try CertificateInfo.all(inPEM: first.chainPEM).first?.serialNumber))
    }

    /// The webhooks of `istiod-canary` are called by its own Service's name.
    @Test func aRevisionHasItsOwnNamesToo() throws {
        let serving = try ServingCertificate(
            authority: CurrentAuthority(try CertificateAuthority(selfSignedFor: "cluster.local")),
            namespace: "istio-system", revision: "canary", lifetime: 60)
        let names = try #require(CertificateInfo.all(inPEM: serving.current.chainPEM).first).dnsNames
        #expect(names.contains("istiod-canary.istio-system.svc") && names.contains("istiod.istio-system.svc"))
    }

    @Test func aReplacedSecretIsTakenOrTheLogSaysWhatToDo() throws {
        let old = try CertificateAuthority(selfSignedFor: "cluster.local")
        let new = try CertificateAuthority(selfSignedFor: "cluster.local")
        let current = CurrentAuthority(old)
        let lines = Lines()
        #expect(!current.take(new, from: "istio-system/cacerts", logger: lines.logger))
        #expect(current.trustBundlePEM == old.trustBundlePEM)
        let text = lines.all.withLock { $0.joined() }
        #expect(text.hasPrefix("error Secret istio-system/cacerts changed and is NOT used"))
        #expect(text.contains("kubectl rollout restart -n istio-system deployment"))

        let secret = try old.secretData()
        let both = try CertificateAuthority(
            trustDomain: "cluster.local", certificatePEM: secret["ca-cert.pem"] ?? "",
            keyPEM: secret["ca-key.pem"] ?? "", rootPEM: old.trustBundlePEM + new.trustBundlePEM)
        #expect(current.take(both, from: "istio-system/cacerts", logger: lines.logger))
        #expect(current.trustBundlePEM == both.trustBundlePEM)
        #expect(!current.take(both, from: "istio-system/cacerts", logger: lines.logger), "nothing new")
    }

    @Test func lifetimesComeFromTheEnvironment() throws {
        var settings = ControlPlaneSettings()
        try settings.readLifetimes(["DEFAULT_WORKLOAD_CERT_TTL": "1h", "WEFT_SERVING_CERT_TTL": "90s"])
        #expect(settings.certificateLimits.defaultSeconds == 3_600)
        #expect(settings.servingCertificateSeconds == 90)
        #expect(throws: ControlPlaneSettings.InvalidVariable.self) {
            try settings.readLifetimes(["MAX_WORKLOAD_CERT_TTL": "soon"])
        }
    }
}
