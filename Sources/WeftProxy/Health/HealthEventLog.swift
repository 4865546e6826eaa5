import NIOCore
import WeftCore
import WeftIR
import WeftRouting
import WeftTransport

/// The events of one host's active checks, as lines of JSON in the files that the check names
/// (`envoy.data.core.v3.HealthCheckEvent`). Loop-confined, as the writer is.
struct HealthEventLog {
    /// Why a check did not pass.
    struct Failure {
        /// `HealthCheckFailureType`.
        var type: String
        /// Of the answer; 0 without one.
        var status: UInt16

        /// - Returns: `nil` for a check that passed.
        init?(_ result: HealthCheckState.Result, hasTimedOut: Bool, _ status: UInt16) {
            switch result {
            case .passed: return nil
            case .failed: type = "ACTIVE"
            case .unreachable: type = hasTimedOut ? "NETWORK_TIMEOUT" : "NETWORK"
            }
            self.status = status
        }
    }

    private let check: HealthCheck
    private let writer: AccessLogWriter
    /// The members that all events of the host begin and end with.
    private let head: String
    private let tail: String

    /// - Returns: `nil` when the check names no file.
    init?(_ check: HealthCheck, _ host: CompiledHost, cluster: String, _ writer: AccessLogWriter) {
        guard !check.eventLogs.isEmpty else { return nil }
        self.check = check
        self.writer = writer
        let kind =
            switch check.kind {
            case .http: "HTTP"
            case .tcp: "TCP"
            case .grpc: "GRPC"
            }
        head =
            "{\"health_checker_type\":\"\(kind)\",\"host\":\(Self.address(host)),\"cluster_name\":\(Self.text(cluster))"
        let locality = host.locality
        tail =
            ",\"locality\":{\"region\":\(Self.text(locality.region)),\"zone\":\(Self.text(locality.zone)),"
            + "\"sub_zone\":\(Self.text(locality.subZone))}"
    }

    private static func text(_ text: String) -> String { JSONValue.string(text).text() }

    private static func address(_ host: CompiledHost) -> String {
        let address = host.target.address
        guard let ip = address.ipAddress else {
            return "{\"pipe\":{\"path\":\(text(address.pathname ?? host.name)),\"mode\":0}}"
        }
        return "{\"socket_address\":{\"protocol\":\"TCP\",\"address\":\(text(ip)),\"port_value\":\(address.port ?? 0),"
            + "\"resolver_name\":\"\",\"ipv4_compat\":false,\"network_namespace_filepath\":\"\"}}"
    }

    /// Writes what one result has to tell.
    /// - Parameters:
    ///   - failure: `nil` for a check that passed.
    ///   - degraded: What the host has become; `nil` when it stays as it is.
    func record(_ failure: Failure?, _ change: HealthCheckState.Change, isFirst: Bool, degraded: Bool?) {
        if let failure {
            let details = "\"failure_type\":\"\(failure.type)\""
            let status = "\"http_status_code\":\(failure.status)"
            if change == .down { write(early: "\"eject_unhealthy_event\":{\(details),\(status)}") }
            if isFirst || check.alwaysLogsFailures {
                write("\"health_check_failure_event\":{\(details),\"first_check\":\(isFirst),\(status)}")
            }
            return
        }
        if change == .up { write(early: "\"add_healthy_event\":{\"first_check\":\(isFirst)}") }
        if let degraded { write(degraded ? "\"degraded_healthy_host\":{}" : "\"no_longer_degraded_host\":{}") }
        if check.alwaysLogsSuccess { write(last: "\"successful_health_check_event\":{}") }
    }

    /// Members stand in the order of their numbers, as Envoy writes them.
    private func write(early: String = "", _ middle: String = "", last: String = "") {
        func member(_ text: String) -> String { text.isEmpty ? "" : "," + text }
        let time = ",\"timestamp\":\"\(LogClock.standard(LogClock.now()))\""
        let line = head + member(early) + time + member(middle) + tail + member(last) + "}\n"
        for path in check.eventLogs { writer.buffer(path).append(line) }
    }
}
