import Foundation
import WeftCore

/// What the queries of one view are, and what becomes of their answers. Pure.
struct TrafficReport: Sendable, Equatable {
    /// What traffic is counted by.
    enum View: String, CaseIterable, Sendable {
        case workloads, services, namespaces, edges

        /// Labels that make a row, in the order of its columns.
        var labels: [String] {
            switch self {
            case .workloads: ["destination_workload_namespace", "destination_workload"]
            case .services: ["destination_service_namespace", "destination_service_name"]
            case .namespaces: ["destination_workload_namespace"]
            case .edges:
                [
                    "source_workload_namespace", "source_workload", "destination_workload_namespace",
                    "destination_workload", "destination_service_name",
                ]
            }
        }

        var header: [String] {
            switch self {
            case .workloads: ["NAMESPACE", "WORKLOAD"]
            case .services: ["NAMESPACE", "SERVICE"]
            case .namespaces: ["NAMESPACE"]
            case .edges: ["SRC NAMESPACE", "SRC", "DST NAMESPACE", "DST", "SERVICE"]
            }
        }
    }

    /// Traffic of one row.
    struct Row: Sendable, Equatable {
        var names: [String]
        var requestsPerSecond = 0.0
        var failuresPerSecond = 0.0
        /// Milliseconds, by quantile.
        var latency: [String: Double] = [:]
        var bytesPerSecond = 0.0
        /// Share of what is known to be under mutual TLS; `nil` when nobody told.
        var mutualTLS: Double?

        /// Share of answers that are no failure; `nil` without requests.
        var success: Double? { requestsPerSecond > 0 ? max(0, 1 - failuresPerSecond / requestsPerSecond) : nil }
    }

    static let quantiles = ["p50": "0.5", "p95": "0.95", "p99": "0.99"]
    private static let pair =
        "source_workload,source_workload_namespace,destination_workload,destination_workload_namespace"

    /// No answer, 5xx, and the statuses of gRPC that are the server's fault.
    private static func isFailure(_ labels: [String: String]) -> Bool {
        let code = labels["response_code"] ?? "0"
        if code == "0" || code.hasPrefix("5") && code.count == 3 { return true }
        let faults: Set = ["2", "4", "8", "10", "12", "13", "14", "15"]
        return labels["request_protocol"] == "grpc" && faults.contains(labels["grpc_response_status"] ?? "")
    }

    /// The queries by name, of the traffic into `namespace` (all when `nil`).
    ///
    /// What a workload took in it knows itself; of a service the callers know more, such as requests that never arrived.
    /// `others` has what only the other end counts: that of peers without a proxy.
    static func queries(_ view: View, window: TrafficWindow, namespace: String?) -> [String: String] {
        let scope =
            namespace.map { name in
                let label = view == .services ? "destination_service_namespace" : "destination_workload_namespace"
                return "\(label)=\(quoted(name)),"
            } ?? ""
        let by = view.labels.joined(separator: ",")
        let sides = view == .workloads || view == .namespaces ? ["destination", "source"] : ["source", "destination"]
        func side(_ metric: String, _ index: Int, _ labels: String) -> String {
            "sum by (\(labels)) (rate(\(metric){\(scope)reporter=\"\(sides[index])\"}[\(window.text)]))"
        }
        func others(_ metric: String, _ extra: String = "") -> String {
            "sum by (\(by)\(extra)) (\(side(metric, 1, "\(by),\(pair)\(extra)")) unless on (\(pair)) "
                + "\(side(metric, 0, pair)))"
        }
        func either(_ metric: String, _ extra: String = "") -> String {
            "\(side(metric, 0, by + extra)) or \(others(metric, extra))"
        }
        // Rates and failures of one answer: what is asked for twice is of two moments.
        let codes = ",request_protocol,response_code,grpc_response_status"
        var queries = [
            "requests": side("istio_requests_total", 0, by + codes), "others": others("istio_requests_total", codes),
            "sent": either("istio_tcp_sent_bytes_total"), "received": either("istio_tcp_received_bytes_total"),
            "policy": "sum by (\(by),connection_security_policy) (rate(istio_requests_total{\(scope)"
                + "reporter=\"destination\"}[\(window.text)]))",
        ]
        for (name, quantile) in quantiles {
            queries[name] =
                "histogram_quantile(\(quantile), \(either("istio_request_duration_milliseconds_bucket", ",le")))"
        }
        return queries
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"") + "\""
    }

    let view: View
    let rows: [Row]

    init(_ view: View, _ answers: [String: [TrafficValue]]) {
        self.view = view
        var rows: [[String]: Row] = [:]
        func each(_ name: String, _ body: (inout Row, TrafficValue) -> Void) {
            for value in answers[name] ?? [] {
                let names = view.labels.map { value.labels[$0] ?? "unknown" }
                body(&rows[names, default: Row(names: names)], value)
            }
        }
        for name in ["requests", "others"] {
            each(name) { row, value in
                row.requestsPerSecond += value.value
                if Self.isFailure(value.labels) { row.failuresPerSecond += value.value }
            }
        }
        for name in ["sent", "received"] { each(name) { $0.bytesPerSecond += $1.value } }
        for name in Self.quantiles.keys { each(name) { $0.latency[name] = $1.value } }
        var told: [[String]: (secure: Double, all: Double)] = [:]
        each("policy") { row, value in
            let policy = value.labels["connection_security_policy"]
            guard policy == "mutual_tls" || policy == "none" else { return }
            told[row.names, default: (0, 0)].all += value.value
            if policy == "mutual_tls" { told[row.names, default: (0, 0)].secure += value.value }
        }
        for (names, sum) in told where sum.all > 0 { rows[names]?.mutualTLS = sum.secure / sum.all }
        self.rows = rows.values.filter { $0.requestsPerSecond > 0 || $0.bytesPerSecond > 0 }
            .sorted { $0.names.lexicographicallyPrecedes($1.names) }
    }

    private init(_ view: View, rows: [Row]) {
        self.view = view
        self.rows = rows
    }

    /// The first rows by a column, the largest first.
    func top(_ count: Int, by column: TrafficOrder) -> TrafficReport {
        let sorted = rows.sorted { left, right in
            let (a, b) = (column.value(left), column.value(right))
            return a == b ? left.names.lexicographicallyPrecedes(right.names) : a > b
        }
        return TrafficReport(view, rows: Array(sorted.prefix(count)))
    }

    // MARK: - Shown

    var table: Table {
        var table = Table(view.header + ["RPS", "SUCCESS", "P50", "P95", "P99", "TCP B/S", "MTLS"])
        table.rows = rows.map { row in
            row.names + [
                String(format: "%.1f", row.requestsPerSecond), Self.share(row.success),
                Self.milliseconds(row.latency["p50"]), Self.milliseconds(row.latency["p95"]),
                Self.milliseconds(row.latency["p99"]),
                row.bytesPerSecond > 0 ? String(format: "%.0f", row.bytesPerSecond) : "-", Self.share(row.mutualTLS),
            ]
        }
        return table
    }

    private static func share(_ value: Double?) -> String { value.map { String(format: "%.1f%%", $0 * 100) } ?? "-" }
    private static func milliseconds(_ value: Double?) -> String {
        value.map { String(format: $0 < 10 ? "%.1fms" : "%.0fms", $0) } ?? "-"
    }

    var json: JSONValue {
        let keys = Table(view.header).keys
        return .array(
            rows.map { row in
                var item: JSONValue = [:]
                for (key, name) in zip(keys, row.names) { item[key] = .string(name) }
                item["requestsPerSecond"] = .double(row.requestsPerSecond)
                item["failuresPerSecond"] = .double(row.failuresPerSecond)
                if let success = row.success { item["success"] = .double(success) }
                for (name, value) in row.latency { item["\(name)Milliseconds"] = .double(value) }
                item["tcpBytesPerSecond"] = .double(row.bytesPerSecond)
                if let share = row.mutualTLS { item["mutualTLS"] = .double(share) }
                return item
            })
    }
}
