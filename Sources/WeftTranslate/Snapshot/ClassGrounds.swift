import WeftConfig
import WeftCore

/// All of a snapshot that decides of which class a proxy is.
///
/// Where two snapshots' grounds are equal, every proxy is of the same class in both: classes are made from nothing else.
package struct ClassGrounds: Sendable, Equatable {
    var workloads: WorkloadList?
    /// What proxies find their services by; `nil` where services have been chosen already.
    var services: ServiceIndex?
    /// See ``MeshSnapshot/selectorKeys(of:rootNamespace:)``.
    var selectorKeys: [String: Set<String>] = [:]
    /// Whether proxies of every namespace may trace.
    var tracesEverywhere = false
    /// Those in which proxies may trace.
    var tracedNamespaces: Set<String> = []
    /// True if some rule prefers endpoints on the caller's own node.
    var tellsNodesApart = false
    /// Node metadata that EnvoyFilters compare (`match.proxy.metadata`).
    var patchMetadataKeys: Set<String> = []

    /// Lists are compared by what they are, not by what is in them: a builder's are the very same as long as nothing in
    /// them changes.
    package static func == (left: ClassGrounds, right: ClassGrounds) -> Bool {
        left.workloads === right.workloads && left.services === right.services
            && left.selectorKeys == right.selectorKeys && left.tracesEverywhere == right.tracesEverywhere
            && left.tracedNamespaces == right.tracedNamespaces && left.tellsNodesApart == right.tellsNodesApart
            && left.patchMetadataKeys == right.patchMetadataKeys
    }

    /// The pod of the proxy's name; for the proxy of a machine the WorkloadEntry that it was registered with or names,
    /// else the first of its namespace that has its address.
    ///
    /// An entry with a service account is nobody's who proves, or says, to run as another.
    func workload(of proxy: ProxyIdentity) -> Workload? {
        if let pod = workload(namespace: proxy.namespace, name: proxy.podName), pod.entry == nil { return pod }
        let named = entryNames(of: proxy).lazy.compactMap { workload(namespace: proxy.namespace, name: $0) }
        return named.first { isEntry($0, of: proxy) }
            ?? machines(at: proxy.address, in: proxy.namespace).first { isEntry($0, of: proxy) }
    }

    func workload(namespace: String, name: String) -> Workload? {
        workloads.flatMap { list in list.places["\(namespace)/\(name)"].map { list.all[$0] } }
    }

    /// The WorkloadEntries of a namespace that have an address.
    func machines(at address: String, in namespace: String) -> [Workload] {
        (workloads?.machines[namespace] ?? []).filter { $0.address == address }
    }

    /// Ports at one address, by the services that have it as an endpoint.
    func endpointPorts(at address: String, in namespace: String) -> [String: [Int: Int]] {
        var ports: [String: [Int: Int]] = [:]
        for service in services?.services(at: address, in: namespace) ?? [] where ports[service.host] == nil {
            ports[service.host] = service.endpoints.first { $0.address == address }?.ports
        }
        return ports
    }

    /// Labels by which some object tells senders of a namespace apart.
    func outboundLabelKeys(in namespace: String) -> Set<String> {
        selectorKeys[namespace, default: []].union(selectorKeys[""] ?? [])
    }

    /// Whether a namespace's proxies may trace; spans tell which workload sent them.
    func traces(in namespace: String) -> Bool { tracesEverywhere || tracedNamespaces.contains(namespace) }

    private func isEntry(_ workload: Workload, of proxy: ProxyIdentity) -> Bool {
        guard workload.entry != nil else { return false }
        return workload.serviceAccount.isEmpty
            || workload.serviceAccount == proxy.provenAccount ?? proxy.serviceAccount
    }

    private func entryNames(of proxy: ProxyIdentity) -> [String] {
        var names: [String] = []
        if let group = proxy.metadata[MachineRegistration.groupKey]?.stringValue, !group.isEmpty {
            names.append(
                MachineRegistration.entryName(
                    group: group, address: proxy.address,
                    network: proxy.metadata["NETWORK"]?.stringValue ?? ""))
        }
        if let name = proxy.metadata[MachineRegistration.entryKey]?.stringValue, !name.isEmpty { names.append(name) }
        return names
    }
}

extension MeshSnapshot {
    /// The workload that a proxy stands before, see ``ClassGrounds``.
    package func workload(of proxy: ProxyIdentity) -> Workload? { classGrounds.workload(of: proxy) }
}
