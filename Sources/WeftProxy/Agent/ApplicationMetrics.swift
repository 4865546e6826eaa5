import WeftCore

/// The metrics of the application beside the proxy, which go out with the proxy's own on port 15020.
///
/// Where they are is in the pod's annotations `prometheus.io/…`, which injection takes for itself and hands on in
/// `ISTIO_PROMETHEUS_ANNOTATIONS`.
struct ApplicationMetrics {
    private let settings: AgentSettings

    init(_ settings: AgentSettings) { self.settings = settings }

    /// The application's answer; empty when it names no port, or does not answer with 200.
    func text() async -> String {
        guard let place = settings.applicationMetrics, let text = place["port"]?.stringValue, let port = Int(text),
            ![15020, 15090].contains(port)
        else { return "" }
        let path = place["path"]?.stringValue ?? "/metrics"
        let response = try? await LocalHTTPClient.send(
            .init(host: settings.instanceIP, port: port, path: path, bind: ApplicationHealth.sourceAddress))
        guard let response, response.status == 200 else { return "" }
        return response.body
    }
}
