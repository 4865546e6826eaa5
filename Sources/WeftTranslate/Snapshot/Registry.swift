import WeftConfig
import WeftCore

/// EndpointSlices by the Service that they are for.
struct EndpointSlices: Sendable {
    private var slices: [String: [KubernetesObject]] = [:]

    init(_ objects: [KubernetesObject] = []) {
        slices = Dictionary(grouping: objects, by: Self.service)
    }

    /// `NAMESPACE/SERVICE`.
    static func service(of slice: KubernetesObject) -> String {
        "\(slice.namespace)/\(slice.labels["kubernetes.io/service-name"] ?? "")"
    }

    static func name(of service: KubernetesObject) -> String { "\(service.namespace)/\(service.name)" }

    /// A Service's, in the order of their names.
    func of(_ service: KubernetesObject) -> [KubernetesObject] {
        (slices[Self.name(of: service)] ?? []).sorted { $0.name < $1.name }
    }

    /// All of `old` go before any of `new` comes: where the list has merely another order, the same objects are in both.
    mutating func replace(_ old: some Sequence<KubernetesObject>, with new: some Sequence<KubernetesObject>) {
        for slice in old {
            let key = Self.service(of: slice)
            slices[key]?.removeAll { $0.isIdentical(to: slice) }
            if slices[key] == [] { slices[key] = nil }
        }
        for slice in new { slices[Self.service(of: slice), default: []].append(slice) }
    }
}

/// What Kubernetes' Services come to, with what they were made from. Immutable.
///
/// Most changes are of one EndpointSlice, or of no object here at all: of the registry before, all is taken over that was
/// made from the very same objects.
final class Registry: Sendable {
    /// What a Service was read into, and from what.
    private struct Reading: Sendable {
        var object: KubernetesObject
        var slices: [KubernetesObject]
        var service: MeshService
        /// By the addresses of the service's endpoints.
        var workloads: [String: Workload?]
        var machines: [Workload]
        var distribution: MeshService.Distribution?
    }
    /// In the order of the objects.
    private let readings: [Reading]
    private let slices: [KubernetesObject]
    private let namespaces: [KubernetesObject]
    private let index: EndpointSlices
    private let workloads: WorkloadList
    private let defaultExportTo: [String]
    private let distributions: [String: MeshService.Distribution]

    /// In the order of the objects.
    var services: [MeshService] { readings.map(\.service) }

    /// - Parameter old: of the snapshot before.
    init(_ objects: ObjectsByKind, workloads: WorkloadList, defaultExportTo: [String], replacing old: Registry?) {
        let services = objects["Service"].filter { $0.apiVersion == "v1" }
        slices = objects["EndpointSlice"]
        namespaces = objects["Namespace"]
        self.workloads = workloads
        self.defaultExportTo = defaultExportTo
        let former = old.flatMap { $0.defaultExportTo == defaultExportTo ? $0 : nil }
        if let former, former.workloads === workloads, former.namespaces.places(changedIn: namespaces) == [],
            let changes = former.changes(to: services, slices)
        {
            (index, distributions) = (changes.index, former.distributions)
            var readings = former.readings
            let reader = ServiceReader(workloads, defaultExportTo: defaultExportTo, distributions: distributions)
            for place in changes.places { readings[place] = Self.read(services[place], index, reader) }
            self.readings = readings
            return
        }
        index = EndpointSlices(slices)
        distributions = Dictionary(
            namespaces.compactMap { namespace in
                MeshService.Distribution(annotationOf: namespace).map { (namespace.name, $0) }
            }, uniquingKeysWith: { first, _ in first })
        let reader = ServiceReader(workloads, defaultExportTo: defaultExportTo, distributions: distributions)
        let known = Dictionary(
            (former?.readings ?? []).map { ($0.object.identity, $0) }, uniquingKeysWith: { first, _ in first })
        let index = index
        readings = services.map { object in
            if let reading = known[object.identity], Self.isRight(reading, index, reader) { return reading }
            return Self.read(object, index, reader)
        }
    }

    /// Where services have to be read again, as they or their slices are not the very same; `nil` where some came or went.
    private func changes(to services: [KubernetesObject], _ slices: [KubernetesObject]) -> (
        index: EndpointSlices, places: Set<Int>
    )? {
        guard let ofServices = readings.map(\.object).places(changedIn: services),
            let ofSlices = self.slices.places(changedIn: slices)
        else { return nil }
        var index = index
        let (gone, come) = (ofSlices.map { self.slices[$0] }, ofSlices.map { slices[$0] })
        index.replace(gone, with: come)
        let concerned = Set((gone + come).map(EndpointSlices.service))
        var places = Set(ofServices)
        if !concerned.isEmpty {
            places.formUnion(services.indices.filter { concerned.contains(EndpointSlices.name(of: services[$0])) })
        }
        return (index, places)
    }

    private static func read(_ object: KubernetesObject, _ index: EndpointSlices, _ reader: ServiceReader) -> Reading {
        let slices = index.of(object)
        let service = reader.service(object, slices)
        let addresses = service.endpoints.map { ($0.address, reader.workloads.byAddress[$0.address]) }
        return Reading(
            object: object, slices: slices, service: service,
            workloads: Dictionary(addresses, uniquingKeysWith: { first, _ in first }),
            machines: reader.workloads.machines[object.namespace] ?? [],
            distribution: reader.distributions[object.namespace])
    }

    /// Whether a service would be read into the same again.
    private static func isRight(_ reading: Reading, _ index: EndpointSlices, _ reader: ServiceReader) -> Bool {
        let namespace = reading.object.namespace
        return reading.slices.places(changedIn: index.of(reading.object)) == []
            && reading.distribution == reader.distributions[namespace]
            && reading.machines == reader.workloads.machines[namespace] ?? []
            && reading.workloads.allSatisfy { reader.workloads.byAddress[$0.key] == $0.value }
    }
}

extension [KubernetesObject] {
    /// Where a list has other objects than this one; `nil` where it is longer or shorter. Objects that are no copies of
    /// one count as others.
    fileprivate func places(changedIn other: [KubernetesObject]) -> [Int]? {
        guard count == other.count else { return nil }
        return indices.filter { !self[$0].isIdentical(to: other[$0]) }
    }
}

/// Pods and machines, and how they are found. Immutable.
final class WorkloadList: Sendable {
    /// Pods first, each sort in order of namespace and name.
    let all: [Workload]
    let byAddress: [String: Workload]
    /// WorkloadEntries by namespace.
    let machines: [String: [Workload]]
    /// Places in ``all`` by `NAMESPACE/NAME`.
    let places: [String: Int]

    init(_ workloads: [Workload]) {
        all = workloads
        byAddress = Dictionary(workloads.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
        machines = Dictionary(grouping: workloads.filter { $0.entry != nil }, by: \.namespace)
        places = Dictionary(
            workloads.indices.map { ("\(workloads[$0].namespace)/\(workloads[$0].name)", $0) },
            uniquingKeysWith: { first, _ in first })
    }
}

/// The workloads of a snapshot with what they were read from: the list is the very same as long as it is equal.
struct WorkloadReading: Sendable {
    let list: WorkloadList
    private let objects: [KubernetesObject]
    private let entries: [Config<WorkloadEntry>]
    /// What each pod was read into; nothing for those that traffic does not reach.
    private let pods: [ObjectIdentifier: Workload?]

    /// - Parameters:
    ///   - objects: nodes, pods and WorkloadEntries.
    ///   - entries: the WorkloadEntries that are taken.
    init(_ objects: [KubernetesObject], entries: [Config<WorkloadEntry>], replacing old: WorkloadReading?) {
        self.objects = objects
        self.entries = entries
        if let old, old.objects.places(changedIn: objects) == [], old.entries == entries {
            (list, pods) = (old.list, old.pods)
            return
        }
        var pods: [ObjectIdentifier: Workload?] = [:]
        for object in objects where object.kind == "Pod" && object.apiVersion == "v1" {
            pods[object.identity] = .some(old?.pods[object.identity] ?? WorkloadReader.workload(object))
        }
        self.pods = pods
        let list = WorkloadList(
            WorkloadReader.workloads(in: objects, entries: entries) { pods[$0.identity] ?? nil })
        self.list = old.flatMap { $0.list.all == list.all ? $0.list : nil } ?? list
    }
}

/// A snapshot's services in the order that it has them in. Immutable.
final class ServiceList: Sendable {
    /// By host, namespace and age.
    let sorted: [MeshService]
    /// As they came.
    private let services: [MeshService]
    /// Of each in ``sorted``, where it is in ``services``.
    private let order: [Int]

    /// - Parameter old: its order is kept where the same services are at the same places, and its services where they are
    ///   equal: what is made from them is found by that.
    init(_ services: [MeshService], replacing old: ServiceList?) {
        if let old, old.services.count == services.count,
            zip(old.services, services).allSatisfy({ $0.isIdentical(to: $1) || $0.hasPlace(of: $1) })
        {
            order = old.order
            self.services = zip(old.services, services).map { $0 == $1 ? $0 : $1 }
        } else {
            self.services = services
            order = services.indices.sorted { left, right in
                let (left, right) = (services[left], services[right])
                return (left.host, left.namespace, left.created) < (right.host, right.namespace, right.created)
            }
        }
        let (order, kept) = (order, self.services)
        sorted = order.map { kept[$0] }
    }
}

extension MeshService {
    /// Whether the other one has the same place among all services.
    fileprivate func hasPlace(of other: MeshService) -> Bool {
        host == other.host && namespace == other.namespace && created == other.created
    }
}
