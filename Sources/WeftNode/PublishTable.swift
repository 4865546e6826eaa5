import WeftConfig
import WeftControllers
import WeftRuntime

/// Which host sockets belong to which services, and so to the containers of the pods behind them.
struct PublishTable: Sendable {
    struct Row: Sendable {
        var namespace: String
        var service: String
        var port: Int
        /// Before the Service exists: pods with `app: SERVICE` and this container port.
        var containerPort: Int
        var descriptor: Int32
    }
    let rows: [Row]

    init(_ sockets: HostSockets) {
        let system = "istio-system"
        rows = [
            Row(
                namespace: system, service: "istio-ingressgateway", port: 80, containerPort: 8080,
                descriptor: sockets.http),
            Row(
                namespace: system, service: "istio-ingressgateway", port: 443, containerPort: 8443,
                descriptor: sockets.https),
            Row(namespace: system, service: "istiod", port: 20001, containerPort: 20001, descriptor: sockets.dashboard),
        ]
    }

    func sockets(for pod: Pod, services: [Service]) -> [PublishedSocket] {
        rows.compactMap { row in
            guard pod.metadata.namespace == row.namespace else { return nil }
            let labels = pod.metadata.labels ?? [:]
            let service = services.first { $0.metadata.namespace == row.namespace && $0.metadata.name == row.service }
            guard let service, let selector = service.spec.selector,
                let port = service.spec.ports?.first(where: { $0.port == row.port })
            else {
                guard labels["app"] == row.service else { return nil }
                return PublishedSocket(containerPort: row.containerPort, descriptor: row.descriptor)
            }
            guard selector.allSatisfy({ labels[$0.key] == $0.value }) else { return nil }
            let number = EndpointSliceController.targetPort(port, of: pod) ?? row.containerPort
            return PublishedSocket(containerPort: number, descriptor: row.descriptor)
        }
    }
}
