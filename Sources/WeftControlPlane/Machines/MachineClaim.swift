import WeftADS
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftTranslate

/// Which WorkloadEntry a connecting proxy says it stands for, and whether it may.
struct MachineClaim: Sendable, Hashable {
    let proxy: ProxyIdentity
    let key: ObjectKey
    /// The WorkloadGroup that makes the entry; `nil` for one that somebody wrote by hand.
    let group: String?
    /// The service account that the proxy has proved.
    let account: String

    /// `nil` for a proxy that claims none: a pod's.
    /// - Throws: `ADSRefusal` for a proxy that cannot have what it asks for.
    init?(_ proxy: ProxyIdentity) throws {
        func metadata(_ key: String) -> String? {
            proxy.metadata[key]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        }
        let group = metadata(MachineRegistration.groupKey)
        let name: String
        if let group {
            guard Self.isReachable(proxy.address) else {
                throw ADSRefusal(
                    "the proxy asks to be registered by WorkloadGroup \(group), and its address \(proxy.address) is none "
                        + "that others reach; set ISTIO_SVC_IP on the machine ('--internalIP' of 'workload entry configure')"
                )
            }
            name = MachineRegistration.entryName(
                group: group, address: proxy.address, network: metadata("NETWORK") ?? "")
        } else if let entry = metadata(MachineRegistration.entryKey) {
            name = entry
        } else {
            return nil
        }
        guard let account = proxy.provenAccount else {
            throw ADSRefusal(
                "the proxy stands for WorkloadEntry \(proxy.namespace)/\(name), and has not proved who it is; it must "
                    + "connect to port 15012, with its service account's token")
        }
        self.proxy = proxy
        key = ObjectKey(namespace: proxy.namespace, name: name)
        self.group = group
        self.account = account
    }

    private static func isReachable(_ address: String) -> Bool {
        !address.isEmpty && !address.hasPrefix("127.") && !["0.0.0.0", "::", "::1"].contains(address)
    }

    /// Whether the group's machines run as who the proxy is.
    func check(group object: KubernetesObject) throws {
        let wanted = object.json[path: "spec", "template", "serviceAccount"]?.stringValue ?? ""
        let expected = wanted.isEmpty ? "default" : wanted
        guard expected == account else {
            throw ADSRefusal(
                "WorkloadGroup \(key.namespace)/\(object.name) is for machines of service account \(expected); the proxy's "
                    + "credential says \(account)")
        }
    }

    /// Whether an entry that is there is the proxy's.
    func check(entry: KubernetesObject) throws {
        let made = entry.annotations[MachineRegistration.groupAnnotation]
        if let group, made != group {
            throw ADSRefusal(
                "WorkloadEntry \(key) is there already, "
                    + (made.map { "registered by WorkloadGroup \($0)" } ?? "written by hand")
                    + "; WorkloadGroup \(group) cannot register the machine under that name. Delete the entry, or set "
                    + "WORKLOAD_ENTRY instead of AUTO_REGISTER_GROUP on the machine")
        }
        let expected = entry.json[path: "spec", "serviceAccount"]?.stringValue ?? ""
        guard expected.isEmpty || expected == account else {
            throw ADSRefusal(
                "WorkloadEntry \(key) is of service account \(expected); the proxy's credential says \(account)")
        }
    }
}
