import WeftConfig
import WeftCore
package import WeftIR

/// What gRPC's own xDS client is given (node metadata `GENERATOR: grpc`): for each HTTP or gRPC port of each service a
/// listener under the name that the application dials (`xds:///HOST:PORT`), a route table, clusters and endpoints.
///
/// Of a cluster only what gRPC honours is kept: it refuses balancers other than round robin and ring hash, and has no
/// choice of transport by endpoint.
package struct ProxylessConfiguration: Sendable, Hashable {
    /// The route table of each listener, by the listener's name.
    package var routesOfListener: [String: String] = [:]
    /// Routes, clusters and endpoints.
    package var resources = ProxyConfiguration()
}

extension Translator {
    /// Everything for gRPC clients of a class. They ask by name for what they dial, so nothing more is sent.
    package func proxyless(for proxies: OutboundClass) -> ProxylessConfiguration {
        var result = ProxylessConfiguration()
        for inputs in serviceInputs(for: proxies) { result.resources.merge(inputs.clusters().0) }
        let scope = Scope(snapshot: snapshot, proxy: proxies.proxy)
        let routes = OutboundRoutes(scope: scope)
        for service in scope.services {
            for port in service.ports where port.protocol.isHTTP || port.protocol == .sniffed {
                var table = routes.table(service: service, port: port.number)
                table.name = ClusterName.outbound(port: port.number, host: service.host)
                result.resources.routes[table.name] = table
                for name in names(of: service, seenFrom: proxies.proxy.namespace) {
                    result.routesOfListener["\(name):\(port.number)"] = table.name
                }
            }
        }
        MissingClusters(scope: scope).complete(&result.resources)
        result.resources.clusters = result.resources.clusters.mapValues(\.forProxyless)
        result.resources.endpoints = result.resources.endpoints.mapValues(\.forProxyless)
        return result
    }

    /// The forms in which an application may write a host.
    private func names(of service: MeshService, seenFrom namespace: String) -> [String] {
        guard service.resource.kind == "Service" else { return [service.host] }
        let full = ["\(service.name).\(service.namespace)", "\(service.name).\(service.namespace).svc", service.host]
        return service.namespace == namespace ? [service.name] + full : full
    }
}

extension Cluster {
    fileprivate var forProxyless: Cluster {
        var cluster = Cluster(name: name, discovery: discovery)
        if case .ringHash = loadBalancer {
            cluster.loadBalancer = loadBalancer
        } else {
            cluster.loadBalancer = .roundRobin
        }
        cluster.circuitBreakers = circuitBreakers
        cluster.outlierDetection = outlierDetection
        cluster.connectTimeoutMilliseconds = connectTimeoutMilliseconds
        cluster.endpoints = endpoints
        cluster.services = services
        cluster.provenance = provenance
        return cluster
    }
}

extension ClusterLoadAssignment {
    /// gRPC leaves out localities that have no weight, and refuses those without a name.
    fileprivate var forProxyless: ClusterLoadAssignment {
        var assignment = self
        for index in assignment.localities.indices {
            if assignment.localities[index].weight == nil { assignment.localities[index].weight = 1 }
            if assignment.localities[index].locality == Locality() {
                assignment.localities[index].locality.region = "unknown"
            }
        }
        return assignment
    }
}
