import WeftCA
import WeftCore
import WeftTelemetry

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
    /// Ports of the tools whose place the telemetry store takes: Prometheus, Jaeger's query, OTLP and Zipkin.
    var prometheusPort = 9090
    var jaegerPort = 16686
    var openTelemetryPort = 4317
    var openTelemetryHTTPPort = 4318
    var zipkinPort = 9411
    /// How long workload certificates live.
    var certificateLimits = CertificateAuthority.Limits()
    /// How long the control plane's own certificates live.
    var servingCertificateSeconds = 86_400.0
    /// Where all samples are sent on to in Prometheus's remote-write protocol; `nil` for nowhere.
    var remoteWriteURL: String?
    /// A Prometheus and a Jaeger that the dashboard reads; `nil` for the store's own.
    var prometheusURL: String?
    var tracingURL: String?
    /// Where telemetry is kept; `nil` keeps it in memory alone.
    var telemetryFolder: String?
    /// Bytes of memory for spans.
    var spanMemory = SpanStoreSettings().memoryLimit
    /// Whether the debug endpoints ask who calls.
    var authorizesDebug = true
    /// Whether who reads the dashboard may watch requests live; who may debug always may.
    var opensTap = true
    /// How many certificates one workload may ask for.
    var requestLimits = RequestAdmission.Limits()
    /// Listening sockets handed to us, by port.
    var inherited: [Int: Int32] = [:]
}

extension ControlPlaneSettings {
    /// A variable has a value that cannot be used; the message says what would do.
    struct InvalidVariable: Error, Hashable, CustomStringConvertible {
        var description: String
    }

    /// Takes who may ask for what, and how much, from the environment.
    mutating func readAccess(_ environment: [String: String]) throws {
        func number(_ name: String) throws -> Double? {
            guard let text = environment[name], !text.isEmpty else { return nil }
            guard let value = Double(text), value > 0, value.isFinite else {
                throw InvalidVariable(description: "\(name) is \"\(text)\", which is no number above zero")
            }
            return value
        }
        switch environment["ENABLE_DEBUG_ENDPOINT_AUTH"]?.lowercased() {
        case nil, "", "true": break
        case "false": authorizesDebug = false
        case let text?:
            throw InvalidVariable(description: "ENABLE_DEBUG_ENDPOINT_AUTH is \"\(text)\"; write true or false")
        }
        switch environment["WEFT_DASHBOARD_TAP"]?.lowercased() {
        case nil, "", "on": break
        case "off": opensTap = false
        case let text?: throw InvalidVariable(description: "WEFT_DASHBOARD_TAP is \"\(text)\"; write on or off")
        }
        if let value = try number("WEFT_SPAN_MEMORY_MIB") { spanMemory = Int(min(value, 1_048_576) * 1_048_576) }
        if let value = try number("WEFT_CA_REQUEST_BURST") { requestLimits.burst = value }
        if let value = try number("WEFT_CA_REQUESTS_PER_SECOND") { requestLimits.perSecond = value }
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
