import WeftConfig
package import WeftCore
package import WeftIR

/// What gRPC's own xDS client is given (node metadata `GENERATOR: grpc`): for each HTTP or gRPC port of each service a
/// listener under the name that the application dials (`xds:///HOST:PORT`), a route table, clusters and endpoints.
///
/// Of a cluster only what gRPC honours is kept: it refuses balancers other than round robin and ring hash, and has no
/// choice of transport by endpoint. Mutual TLS of the mesh is used where a DestinationRule asks for it (ISTIO_MUTUAL),
/// and by itself where every endpoint takes it and the client says that its bootstrap has certificates (node metadata
/// `CERTIFICATE_PROVIDERS`): one without them would refuse the cluster.
package struct ProxylessConfiguration: Sendable, Hashable {
    /// The route table of each listener, by the listener's name.
    package var routesOfListener: [String: String] = [:]
    /// Routes, clusters and endpoints.
    package var resources = ProxyConfiguration()
    package var diagnostics: [Diagnostic] = []

    /// What is sent by names of the mesh, and what was found.
    package var everything: (ProxyConfiguration, [Diagnostic]) { (resources, diagnostics) }
}

extension Translator {
    /// Everything for gRPC clients of a class. They ask by name for what they dial, so nothing more is sent.
    package func proxyless(for proxies: OutboundClass) -> ProxylessConfiguration {
        var result = ProxylessConfiguration()
        for inputs in inputs(for: proxies).services { result.resources.merge(inputs.clusters().0) }
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
        let hasCertificates = proxies.proxy.metadata["CERTIFICATE_PROVIDERS"] != nil
        for (name, cluster) in result.resources.clusters {
            if let found = cluster.unknownToProxyless { result.diagnostics.append(found) }
            let endpoints = cluster.streamedEndpoints.flatMap { result.resources.endpoints[$0] }
            result.resources.clusters[name] = cluster.forProxyless(endpoints, automatic: hasCertificates)
        }
        result.resources.endpoints = result.resources.endpoints.mapValues(\.forProxyless)
        result.diagnostics.sort { $0.message < $1.message }
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
    /// The name of the assignment that its endpoints come by; `nil` if they come otherwise.
    fileprivate var streamedEndpoints: String? {
        guard case .eds(let serviceName) = discovery else { return nil }
        return serviceName.isEmpty ? name : serviceName
    }

    /// - Parameter automatic: Whether the client can do mutual TLS that nobody asked for.
    fileprivate func forProxyless(_ assignment: ClusterLoadAssignment?, automatic: Bool) -> Cluster {
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
        if let tls, tls.isOfTheMesh { cluster.tls = tls }
        if automatic, let mutual = transportSocketMatches.first?.tls, mutual.isOfTheMesh {
            let all = (assignment?.localities ?? []).flatMap(\.endpoints)
            if !all.isEmpty, all.allSatisfy({ $0.transportSocketMatch["tlsMode"] == "istio" }) { cluster.tls = mutual }
        }
        return cluster
    }

    /// TLS with certificates that are not the mesh's: gRPC has no way to be given them.
    fileprivate var unknownToProxyless: Diagnostic? {
        guard let tls, !tls.isOfTheMesh, let provenance else { return nil }
        return Diagnostic(
            .warning, code: "WEFT0004", resource: provenance.resource, path: "spec.trafficPolicy.tls",
            message:
                "gRPC clients without a proxy call \(name) in plain text: they can do mutual TLS of the mesh alone",
            hint: "use ISTIO_MUTUAL, or give the client a sidecar")
    }
}

extension UpstreamTLS {
    /// By the workload's own certificate.
    fileprivate var isOfTheMesh: Bool { common.certificates == [.workloadCertificate] }
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
