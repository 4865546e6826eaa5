/// One end of a live edge.
package struct WorkloadName: Sendable, Hashable, Codable, Comparable {
    package var namespace: String
    package var name: String

    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    package static func < (left: WorkloadName, right: WorkloadName) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}

/// What flows from one workload to another, over the last minute or what of it was seen.
package struct MeshEdge: Sendable, Hashable, Codable {
    package var source: WorkloadName
    package var destination: WorkloadName
    /// The service that was called, when known: `reviews.bookinfo.svc.cluster.local`.
    package var service: String
    package var `protocol`: String
    package var requestsPerSecond: Double
    /// Requests whose answer was below 500; `nil` without requests.
    package var successShare: Double?
    /// Milliseconds.
    package var p50: Double?
    package var p95: Double?
    package var p99: Double?
    /// The share of traffic in mutual TLS; `nil` where nobody told.
    package var mutualTLSShare: Double?
    package var sentBytesPerSecond: Double
    package var receivedBytesPerSecond: Double
    /// Requests per response code class and flag, for the curious: `200`, `503 UO`.
    package var responses: [String: Double]
}
