import Synchronization
package import WeftCore
package import WeftIR

/// A service as the mesh sees it, whether Kubernetes or a ServiceEntry declares it.
package struct MeshService: Sendable, Hashable {
    /// Where the addresses behind the service come from.
    package enum Resolution: String, Sendable, Hashable {
        /// A virtual address in front of known endpoints.
        case endpoints
        /// The caller picks the endpoint's own address.
        case headless
        /// By DNS; one address or all of them.
        case dns, dnsRoundRobin
        /// Wherever the connection was going.
        case passthrough
        /// The name that each request asks for, resolved by the proxy (`DYNAMIC_DNS`).
        case dynamicDNS
    }
    /// Which endpoints callers prefer (`trafficDistribution` of the Service, or the annotation
    /// `networking.istio.io/traffic-distribution`).
    package enum Distribution: String, Sendable, Hashable {
        case any = "Any"
        case close = "PreferClose"
        case sameZone = "PreferSameZone"
        case sameNode = "PreferSameNode"
    }
    package struct Port: Sendable, Hashable {
        package var number: Int
        package var name: String
        package var `protocol`: PortProtocol
        package var targetPort: Int?
        package var targetPortName: String?
    }
    private struct Fields: Sendable, Hashable {
        var host: String
        var name: String
        var namespace: String
        var addresses: [String]
        var ports: [Port]
        var resolution: Resolution
        var isExternal: Bool = false
        var selector: [String: String]?
        var exportTo: [String] = []
        var created: String = ""
        var resource: ResourceReference
        var endpoints: [MeshEndpoint] = []
        var subjectAltNames: [String] = []
        var allocatedAddresses: [String] = []
        var externalName: String?
        var distribution: Distribution?
    }
    /// What a copy refers to: services are copied all the time, for each class of proxies and each change.
    private final class Storage: Sendable {
        let fields: Fields
        /// The same without endpoints, once somebody has asked: equal copies are the same one, which makes comparing cheap.
        let bare = Mutex<Storage?>(nil)

        init(_ fields: Fields) { self.fields = fields }
    }
    private var storage: Storage

    package init(
        host: String, name: String, namespace: String, addresses: [String], ports: [Port], resolution: Resolution,
        resource: ResourceReference
    ) {
        storage = Storage(
            Fields(
                host: host, name: name, namespace: namespace, addresses: addresses, ports: ports,
                resolution: resolution, resource: resource))
    }

    private mutating func edit(_ change: (inout Fields) -> Void) {
        var fields = storage.fields
        change(&fields)
        storage = Storage(fields)
    }

    /// The same service with nothing behind it.
    var withoutEndpoints: MeshService {
        if endpoints.isEmpty { return self }
        var service = self
        service.storage = storage.bare.withLock { bare in
            if let bare { return bare }
            var fields = storage.fields
            fields.endpoints = []
            let made = Storage(fields)
            bare = made
            return made
        }
        return service
    }

    /// Whether both are copies of one; they are equal then. Says nothing where not.
    func isIdentical(to other: MeshService) -> Bool { storage === other.storage }

    package static func == (left: MeshService, right: MeshService) -> Bool {
        left.storage === right.storage || left.storage.fields == right.storage.fields
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(storage.fields.host)
        hasher.combine(storage.fields.namespace)
    }

    package var host: String {
        get { storage.fields.host }
        set { edit { $0.host = newValue } }
    }
    package var name: String {
        get { storage.fields.name }
        set { edit { $0.name = newValue } }
    }
    package var namespace: String {
        get { storage.fields.namespace }
        set { edit { $0.namespace = newValue } }
    }
    package var addresses: [String] {
        get { storage.fields.addresses }
        set { edit { $0.addresses = newValue } }
    }
    package var ports: [Port] {
        get { storage.fields.ports }
        set { edit { $0.ports = newValue } }
    }
    package var resolution: Resolution {
        get { storage.fields.resolution }
        set { edit { $0.resolution = newValue } }
    }
    package var isExternal: Bool {
        get { storage.fields.isExternal }
        set { edit { $0.isExternal = newValue } }
    }
    /// `nil` for a service without a selector.
    package var selector: [String: String]? {
        get { storage.fields.selector }
        set { edit { $0.selector = newValue } }
    }
    package var exportTo: [String] {
        get { storage.fields.exportTo }
        set { edit { $0.exportTo = newValue } }
    }
    package var created: String {
        get { storage.fields.created }
        set { edit { $0.created = newValue } }
    }
    package var resource: ResourceReference {
        get { storage.fields.resource }
        set { edit { $0.resource = newValue } }
    }
    package var endpoints: [MeshEndpoint] {
        get { storage.fields.endpoints }
        set { edit { $0.endpoints = newValue } }
    }
    package var subjectAltNames: [String] {
        get { storage.fields.subjectAltNames }
        set { edit { $0.subjectAltNames = newValue } }
    }
    /// Addresses that the control plane has chosen; only for proxies that answer DNS themselves.
    package var allocatedAddresses: [String] {
        get { storage.fields.allocatedAddresses }
        set { edit { $0.allocatedAddresses = newValue } }
    }
    /// The name that an ExternalName Service stands for.
    package var externalName: String? {
        get { storage.fields.externalName }
        set { edit { $0.externalName = newValue } }
    }
    package var distribution: Distribution? {
        get { storage.fields.distribution }
        set { edit { $0.distribution = newValue } }
    }

    /// A host such as `*.example.com`: no name of its own to resolve.
    package var isWildcard: Bool { host.hasPrefix("*") }
    package func port(_ number: Int) -> Port? { ports.first { $0.number == number } }
    package func isVisible(from other: String) -> Bool { Visibility.allows(exportTo, owner: namespace, viewer: other) }
}

/// One address behind a service.
package struct MeshEndpoint: Sendable, Hashable {
    /// An IP, a DNS name, or the absolute path of a Unix socket (`@NAME` in the abstract namespace).
    package var address: String
    package var isReady: Bool
    /// Service port to the port at this address.
    package var ports: [Int: Int]
    package var labels: [String: String]
    package var workload: Workload?
    package var weight: UInt32 = 1
    package var locality = Locality()
    /// Name of the network; empty is the proxy's own.
    package var network = ""
    package var nodeName = ""
    /// A pod's own name under a headless service (`web-0`).
    package var hostname = ""

    package var isUnixSocket: Bool { address.hasPrefix("/") || address.hasPrefix("@") }
}

/// A pod, or a machine that a WorkloadEntry describes, as far as traffic is concerned.
package struct Workload: Sendable, Hashable {
    package var name: String
    package var namespace: String
    package var address: String
    package var labels: [String: String]
    package var serviceAccount: String
    /// The Deployment (or other controller) behind the pod.
    package var workloadName: String
    /// Named container ports.
    package var namedPorts: [String: Int]
    package var nodeName = ""
    package var locality = Locality()
    package var network = ""
    /// What only a WorkloadEntry says: its share of requests; `nil` for pods.
    package var entry: EntryDetails?

    /// What a WorkloadEntry says beyond what a pod does.
    package struct EntryDetails: Sendable, Hashable {
        package var weight: UInt32
        /// The last probe found it well (status condition `Healthy`), or none has been made.
        package var isHealthy: Bool
    }

    /// True if a proxy that takes mutual TLS stands before the workload. A WorkloadEntry says so by its service account.
    package var acceptsMutualTLS: Bool {
        guard let mode = labels["security.istio.io/tlsMode"] else { return entry != nil && !serviceAccount.isEmpty }
        return mode == "istio"
    }
    package var canonicalName: String {
        labels["service.istio.io/canonical-name"] ?? labels["app.kubernetes.io/name"] ?? labels["app"] ?? workloadName
    }
    package var canonicalRevision: String {
        labels["service.istio.io/canonical-revision"] ?? labels["app.kubernetes.io/version"] ?? labels["version"]
            ?? "latest"
    }
}

/// `exportTo`: who may see an object.
enum Visibility {
    static func allows(_ exportTo: [String], owner: String, viewer: String) -> Bool {
        if exportTo.isEmpty || exportTo.contains("*") { return true }
        return exportTo.contains(viewer) || (exportTo.contains(".") && owner == viewer)
    }
}
