import Foundation
import NIOCore
import WeftCore
import WeftKubernetes

/// One series of an instant query's answer.
struct TrafficValue: Sendable, Equatable {
    var labels: [String: String]
    var value: Double
}

/// The mesh's telemetry store, asked through the Prometheus API of a control plane pod.
struct TrafficStore {
    let client: KubernetesClient
    let namespace: String
    static let port = 9090

    /// - Throws: ``CommandFailure`` with the store's own words for a query that it refuses.
    func query(_ text: String, pod: String) async throws -> [TrafficValue] {
        let answer = try await client.podProxyGet(
            namespace: namespace, pod: pod, port: Self.port, path: "/api/v1/query", query: [("query", text)])
        return try Self.values(JSONValue(parsing: answer.readableBytesView))
    }

    /// The answers of several queries, by name. All come from one pod: each keeps its own store.
    func query(_ queries: [String: String]) async throws -> [String: [TrafficValue]] {
        guard let pod = try await ControlPlane(client: client, namespace: namespace).pods().first else { return [:] }
        return try await withThrowingTaskGroup(of: (String, [TrafficValue]).self) { group in
            for (name, text) in queries { group.addTask { (name, try await query(text, pod: pod)) } }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    static func values(_ answer: JSONValue) throws -> [TrafficValue] {
        guard answer["status"]?.stringValue == "success", let list = answer[path: "data", "result"]?.arrayValue else {
            throw CommandFailure(
                "the telemetry store refuses the query: \(answer["error"]?.stringValue ?? answer.text()).")
        }
        return list.compactMap { item in
            guard let text = item["value"]?.arrayValue?.last?.stringValue, let value = Double(text), value.isFinite
            else { return nil }
            return TrafficValue(
                labels: (item["metric"]?.objectValue ?? [:]).compactMapValues(\.stringValue), value: value)
        }
    }
}

/// A window of time as people write it for PromQL: `30s`, `5m`, `1h`.
struct TrafficWindow: Equatable {
    let text: String

    init(_ text: String) throws {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int(text.dropLast()), count > 0,
            (5...86_400).contains(count * unit)
        else { throw CommandFailure("\"\(text)\" is no window: write for example 30s, 5m or 1h, from 5s to 24h.") }
        self.text = text
    }
}
