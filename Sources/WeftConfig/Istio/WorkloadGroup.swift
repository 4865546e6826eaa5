/// The `spec` of a WorkloadGroup: what the WorkloadEntries of a group of machines have in common.
package struct WorkloadGroup: IstioSpec {
    package static let group = "networking.istio.io"
    package static let kind = "WorkloadGroup"
    package struct ObjectMeta: Sendable, Hashable, Codable {
        package var labels: [String: String]?
        package var annotations: [String: String]?
    }
    package struct Header: Sendable, Hashable, Codable {
        package var name: String?
        package var value: String?
    }
    package struct HTTPProbe: Sendable, Hashable, Codable {
        package var path: String?
        package var port: Int?
        package var host: String?
        package var scheme: String?
        package var httpHeaders: [Header]?
    }
    package struct TCPProbe: Sendable, Hashable, Codable {
        package var host: String?
        package var port: Int?
    }
    package struct CommandProbe: Sendable, Hashable, Codable { package var command: [String]? }
    package struct GRPCProbe: Sendable, Hashable, Codable {
        package var port: Int?
        package var service: String?
    }
    package struct Probe: Sendable, Hashable, Codable {
        package var initialDelaySeconds: Int?
        package var timeoutSeconds: Int?
        package var periodSeconds: Int?
        package var successThreshold: Int?
        package var failureThreshold: Int?
        package var httpGet: HTTPProbe?
        package var tcpSocket: TCPProbe?
        package var exec: CommandProbe?
        package var grpc: GRPCProbe?
    }
    package var metadata: ObjectMeta?
    package var template: WorkloadEntry?
    package var probe: Probe?
}

/// The `spec` of a ProxyConfig: settings of the proxies of a namespace, of the mesh (root namespace), or of what a
/// selector meets. Taken up when a pod is injected.
package struct ProxyConfig: IstioSpec {
    package static let group = "networking.istio.io"
    package static let kind = "ProxyConfig"
    package struct Image: Sendable, Hashable, Codable { package var imageType: String? }
    package var selector: WorkloadSelector?
    package var concurrency: Int?
    package var environmentVariables: [String: String]?
    package var image: Image?
}
