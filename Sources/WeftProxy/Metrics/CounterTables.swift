import WeftMetrics

/// All counters of a process under Envoy's names, by what they count. Thread-safe.
final class CounterTables: Sendable {
    let http = CounterTable(shape: HTTPCounter.names.count)
    let clusters = CounterTable(shape: ClusterCounter.names.count)
    /// Responses of a cluster by status: the name is `STATUS CLUSTER`.
    let statuses = CounterTable(shape: 1, hasTimes: false)
    let listeners = CounterTable(shape: ListenerCounter.names.count, hasTimes: false)
    let tcp = CounterTable(shape: TCPCounter.names.count, hasTimes: false)
    /// The name is the cluster's, or a ``GRPCMethodName``.
    let grpc = CounterTable(shape: GRPCCounter.names.count)
}

/// The counters of one worker, made when first asked for. Loop-confined.
final class WorkerCounters {
    private let tables: CounterTables
    private var http: [String: CounterBlock] = [:]
    private var clusters: [String: ClusterCounters] = [:]
    private var listeners: [String: CounterBlock] = [:]
    private var tcp: [String: CounterBlock] = [:]
    private var calls: [GRPCMethodName: CounterBlock] = [:]

    init(_ tables: CounterTables) { self.tables = tables }

    func http(_ prefix: String) -> CounterBlock { Self.known(&http, prefix, tables.http) }
    func listener(_ address: String) -> CounterBlock { Self.known(&listeners, address, tables.listeners) }
    func tcp(_ prefix: String) -> CounterBlock { Self.known(&tcp, prefix, tables.tcp) }

    /// - Returns: The counters of a method's calls; those of all calls to the cluster, when there are too many methods:
    ///   their names are the clients'.
    func grpc(_ cluster: String, service: String = "", method: String = "") -> CounterBlock {
        let name = GRPCMethodName(cluster: cluster, service: service, method: method)
        if let known = calls[name] { return known }
        if !method.isEmpty, calls.count >= Self.methodLimit { return grpc(cluster) }
        let made = tables.grpc.block(name.text)
        calls[name] = made
        return made
    }
    private static let methodLimit = 1_000

    func cluster(_ name: String) -> ClusterCounters {
        if let known = clusters[name] { return known }
        let made = ClusterCounters(name, tables)
        clusters[name] = made
        return made
    }

    private static func known(
        _ blocks: inout [String: CounterBlock], _ name: String, _ table: CounterTable
    ) -> CounterBlock {
        if let known = blocks[name] { return known }
        let made = table.block(name)
        blocks[name] = made
        return made
    }
}

/// The counters of one cluster at one worker. Loop-confined.
final class ClusterCounters {
    let block: CounterBlock
    private let name: String
    private let tables: CounterTables
    /// Few statuses are ever seen: a look through them is shorter than a hash.
    private var statuses: [(status: UInt16, block: CounterBlock)] = []

    init(_ name: String, _ tables: CounterTables) {
        self.name = name
        self.tables = tables
        block = tables.clusters.block(name)
    }

    func add(_ counter: ClusterCounter, _ amount: Int = 1) { block.add(counter, amount) }

    /// A response's head came.
    func responded(_ status: UInt16, milliseconds: UInt64) {
        add(.completed)
        if let counter = ClusterCounter(statusClass: status) { add(counter) }
        block.times?.observe(milliseconds)
        for known in statuses where known.status == status { return known.block.add(0) }
        guard (100...599).contains(status) else { return }
        let made = tables.statuses.block("\(status) \(name)")
        made.add(0)
        statuses.append((status, made))
    }
}

extension ClusterCounter {
    init?(statusClass status: UInt16) {
        switch status / 100 {
        case 1: self = .status1xx
        case 2: self = .status2xx
        case 3: self = .status3xx
        case 4: self = .status4xx
        case 5: self = .status5xx
        default: return nil
        }
    }
}

extension HTTPCounter {
    init?(statusClass status: Int) {
        switch status / 100 {
        case 1: self = .status1xx
        case 2: self = .status2xx
        case 3: self = .status3xx
        case 4: self = .status4xx
        case 5: self = .status5xx
        default: return nil
        }
    }
}

/// Whose gRPC calls are counted; without a method, all of a cluster's that have no counters of their own.
struct GRPCMethodName: Hashable {
    var cluster: String
    var service = ""
    var method = ""

    init(cluster: String, service: String, method: String) {
        self.cluster = cluster
        self.service = service
        self.method = method
    }

    /// - Parameter text: What ``text`` has made.
    init(_ text: String) {
        let parts = text.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
        self.init(cluster: parts[0], service: parts.count > 2 ? parts[1] : "", method: parts.count > 2 ? parts[2] : "")
    }

    /// The name of its block; none of the three has a zero byte.
    var text: String { method.isEmpty ? cluster : [cluster, service, method].joined(separator: "\0") }
}
