import WeftCA
import WeftCore

/// Where the control plane listens and what it is called. The defaults are Istio's.
struct ControlPlaneSettings: Sendable, Hashable {
    var namespace = "istio-system"
    var revision = "default"
    /// What this process calls itself among the replicas: the pod's name.
    var identity = "weftd"
    var bind = "0.0.0.0"
    var plainDiscoveryPort = 15010
    var secureDiscoveryPort = 15012
    var monitoringPort = 15014
    var webhookPort = 15017
    var readinessPort = 8080
    var dashboardPort = 20001
    /// How long workload certificates live.
    var certificateLimits = CertificateAuthority.Limits()
    /// How long the control plane's own certificates live.
    var servingCertificateSeconds = 86_400.0
    /// Listening sockets handed to us, by port.
    var inherited: [Int: Int32] = [:]
}

extension ControlPlaneSettings {
    /// A variable has a value that cannot be used; the message says what would do.
    struct InvalidVariable: Error, Hashable, CustomStringConvertible {
        var description: String
    }

    /// Takes the certificate lifetimes from the environment, under Istio's names where it has them.
    mutating func readLifetimes(_ environment: [String: String]) throws {
        func seconds(_ name: String) throws -> Double? {
            guard let text = environment[name], !text.isEmpty else { return nil }
            guard let value = GoDuration.seconds(text) else {
                throw InvalidVariable(
                    description: "\(name) is \"\(text)\", which is no duration; write for example 24h0m0s or 90s")
            }
            return Double(value)
        }
        if let value = try seconds("MAX_WORKLOAD_CERT_TTL") { certificateLimits.maximumSeconds = value }
        if let value = try seconds("DEFAULT_WORKLOAD_CERT_TTL") { certificateLimits.defaultSeconds = value }
        if let value = try seconds("WEFT_SERVING_CERT_TTL") { servingCertificateSeconds = value }
    }
}
