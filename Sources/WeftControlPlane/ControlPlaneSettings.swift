/// Where the control plane listens and what it is called. The defaults are Istio's.
struct ControlPlaneSettings: Sendable, Hashable {
    var namespace = "istio-system"
    var revision = "default"
    var bind = "0.0.0.0"
    var plainDiscoveryPort = 15010
    var secureDiscoveryPort = 15012
    var monitoringPort = 15014
    var webhookPort = 15017
    var readinessPort = 8080
    var dashboardPort = 20001
    /// Listening sockets handed to us, by port.
    var inherited: [Int: Int32] = [:]
}
