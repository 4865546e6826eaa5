import WeftConfig
import WeftCore

/// Which workload a proxy stands before.
extension MeshSnapshot {
    /// The pod of the proxy's name; for the proxy of a machine the WorkloadEntry that it was registered with or names,
    /// else the first of its namespace that has its address.
    ///
    /// An entry with a service account is nobody's who proves, or says, to run as another.
    package func workload(of proxy: ProxyIdentity) -> Workload? {
        if let pod = workload(namespace: proxy.namespace, name: proxy.podName), pod.entry == nil { return pod }
        let named = entryNames(of: proxy).lazy.compactMap { workload(namespace: proxy.namespace, name: $0) }
        return named.first { isEntry($0, of: proxy) }
            ?? machines(at: proxy.address, in: proxy.namespace).first { isEntry($0, of: proxy) }
    }

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
