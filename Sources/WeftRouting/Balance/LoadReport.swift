import NIOCore
package import WeftHTTP
package import WeftIR

/// What an endpoint says about its own load in a response header (ORCA's text form):
/// `endpoint-load-metrics: TEXT cpu_utilization=0.3, rps_fractional=120, eps=2`.
package struct LoadReport: Sendable, Hashable {
    package private(set) var applicationUtilization = 0.0
    package private(set) var cpuUtilization = 0.0
    package private(set) var requestsPerSecond = 0.0
    package private(set) var errorsPerSecond = 0.0

    private static var header: HeaderName { "endpoint-load-metrics" }

    /// - Returns: `nil` when the response has no report in text form.
    package init?(_ headers: HeaderBlock) {
        guard let text = headers.string(Self.header) else { return nil }
        self.init(text)
    }

    package init?(_ text: String) {
        guard text.hasPrefix("TEXT ") else { return nil }
        for pair in text.dropFirst(5).split(separator: ",") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let value = Double(parts[1].filter { $0 != " " }), value.isFinite, value >= 0 else {
                continue
            }
            switch parts[0].filter({ $0 != " " }) {
            case "application_utilization": applicationUtilization = value
            case "cpu_utilization": cpuUtilization = value
            case "rps_fractional", "rps": requestsPerSecond = value
            case "eps": errorsPerSecond = value
            default: break
            }
        }
    }

    package func record(for host: SharedHost, settings: LoadBalancing.ReportedWeights, now: Int64) {
        ReportedWeight.record(
            host, requestsPerSecond: requestsPerSecond, errorsPerSecond: errorsPerSecond,
            utilization: applicationUtilization > 0 ? applicationUtilization : cpuUtilization, settings: settings,
            now: now)
    }
}
