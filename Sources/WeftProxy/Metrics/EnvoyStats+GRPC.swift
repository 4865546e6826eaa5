import WeftMetrics

/// Numbers of gRPC calls, by cluster and method.
extension EnvoyStats {
    static let grpcLabels = ["cluster_name", "grpc_bridge_method", "grpc_bridge_service"]

    private var grpcSums: [String: CounterTable.Sum] {
        let known = plane.snapshot.clusters
        return plane.metrics.counters.grpc.sums().filter { known[GRPCMethodName($0.key).cluster] != nil }
    }

    /// What no call has counted yet is not there, as in Envoy.
    var grpc: [EnvoyStat] {
        grpcSums.flatMap { text, sum -> [EnvoyStat] in
            let name = GRPCMethodName(text)
            let method = name.method.isEmpty ? "" : "\(name.service).\(name.method)."
            let labels = zip(Self.grpcLabels, name.labelValues).map { (name: $0, value: $1) }
            return GRPCCounter.allCases.filter { sum.numbers[$0.rawValue] > 0 }.map { counter in
                EnvoyStat(
                    name: "cluster.\(name.cluster).grpc.\(method)\(counter.name)",
                    metric: "cluster_grpc_\(counter.name)", labels: labels, value: sum.numbers[counter.rawValue])
            }
        }
    }

    /// Of the methods whose time is asked for.
    var grpcTimes: [String: CounterTable.Sum] {
        grpcSums.filter { $0.value.times.contains { $0 > 0 } }
    }
}

extension GRPCMethodName {
    /// In the order of ``EnvoyStats/grpcLabels``.
    var labelValues: [String] { [cluster, method, service] }
}
