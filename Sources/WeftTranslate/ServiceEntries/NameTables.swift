import WeftCore
import WeftIR

/// The names that a proxy answers DNS questions for: every service that it sees, and pods of headless ones that have a
/// name of their own. Empty for proxies that do not capture DNS.
struct NameTables {
    let scope: Scope

    func table() -> NameTable? {
        guard scope.capturesDNS else { return nil }
        var table = NameTable()
        for service in scope.services { add(service, to: &table) }
        return table
    }

    private func add(_ service: MeshService, to table: inout NameTable) {
        let addresses = addresses(of: service)
        guard !addresses.isEmpty else { return }
        let host = service.host.lowercased()
        var entry = NameTable.Entry(
            addresses: addresses, registry: service.resource.kind == "Service" ? "Kubernetes" : "External")
        if service.resource.kind == "Service" {
            entry.shortName = service.name
            entry.namespace = service.namespace
        }
        table.entries[host] = entry
        guard service.resolution == .headless else { return }
        for endpoint in service.endpoints where !endpoint.hostname.isEmpty && endpoint.isReady {
            var pod = NameTable.Entry(addresses: [endpoint.address], registry: "Kubernetes")
            pod.shortName = "\(endpoint.hostname).\(service.name)"
            pod.namespace = service.namespace
            table.entries["\(endpoint.hostname).\(host)".lowercased()] = pod
        }
    }

    /// Ranges are no addresses to give out; a headless service is its pods.
    private func addresses(of service: MeshService) -> [String] {
        if service.resolution == .headless { return service.endpoints.filter(\.isReady).map(\.address) }
        return scope.addresses(of: service).filter { !$0.contains("/") }
    }
}
