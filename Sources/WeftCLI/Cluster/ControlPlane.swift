import NIOCore
import WeftConfig
import WeftCore
import WeftKubernetes

/// What one control-plane instance knows of one proxy.
struct ProxySync: Sendable, Equatable {
    static let types = ["cds", "lds", "eds", "rds", "ecds"]

    var name: String
    var cluster: String
    /// `SYNCED`, `STALE`, `REJECTED` or `NOT SENT` per type; `IGNORED` when the proxy has no use for the type.
    var states: [String: String]
    var istiod: String
    var version: String

    init(_ json: JSONValue, istiod: String) {
        name = json["proxy"]?.stringValue ?? ""
        cluster = json["cluster_id"]?.stringValue ?? ""
        version = json["istio_version"]?.stringValue ?? ""
        self.istiod = istiod
        states = [:]
        for (type, stem) in zip(Self.types, ["cluster", "listener", "endpoint", "route", "extensionconfig"]) {
            states[type] = Self.state(json, type: type, stem: stem)
        }
    }

    /// From the explicit status when there is one, otherwise from the last versions sent and accepted.
    private static func state(_ json: JSONValue, type: String, stem: String) -> String {
        let explicit = json[path: "status", type] ?? json[path: "status", type.uppercased()]
        if let words = explicit?.stringValue, !words.isEmpty {
            let count = json[path: "resources", type.uppercased()]?.intValue
            // An empty type needs no answer: that a proxy does not ask for it, or has not confirmed it, is no fault.
            return ["NOT SENT", "STALE"].contains(words) && count == 0 ? "IGNORED" : words
        }
        guard let sent = json["\(stem)_sent"]?.stringValue, !sent.isEmpty else { return "NOT SENT" }
        return sent == json["\(stem)_acked"]?.stringValue ? "SYNCED" : "STALE"
    }

    /// A type that the proxy never asked for is no lag.
    var isSynced: Bool { !states.values.contains { $0 == "STALE" || $0 == "REJECTED" } }

    static func table(_ proxies: [ProxySync]) -> Table {
        var table = Table(["NAME", "CLUSTER", "CDS", "LDS", "EDS", "RDS", "ECDS", "ISTIOD", "VERSION"])
        for proxy in proxies.sorted(by: { $0.name < $1.name }) {
            // No control plane of ours sends extension configurations; "IGNORED" is istioctl's word for that.
            let states = types.map { type in
                let state = proxy.states[type] ?? "NOT SENT"
                return type == "ecds" && state == "NOT SENT" ? "IGNORED" : state
            }
            table.rows.append([proxy.name, proxy.cluster] + states + [proxy.istiod, proxy.version])
        }
        return table
    }
}

/// How far proxies are with one object.
struct DistributionReport: Sendable, Equatable {
    var confirmed = 0
    var concerned = 0
    var waiting: [String] = []
}

/// The control plane's pods and their monitoring port, reached through the API server.
struct ControlPlane {
    let client: KubernetesClient
    let namespace: String
    private let token = DebugToken()

    func pods() async throws -> [String] {
        let list = try await client.list(
            .pods, namespace: namespace, options: ListOptions(labelSelector: "app=istiod")
        ).items.filter { $0.deletionTimestamp == nil && $0.json[path: "status", "phase"]?.stringValue == "Running" }
        guard !list.isEmpty else {
            throw CommandFailure(
                "no running istiod in namespace \(namespace): install the mesh with 'install -y', "
                    + "or name its namespace with -i.")
        }
        return list.map(\.name).sorted()
    }

    func syncz() async throws -> [ProxySync] {
        var proxies: [ProxySync] = []
        for pod in try await pods() {
            let answer = try await debug(pod, "/debug/syncz")
            let document = try JSONValue(parsing: answer.readableBytesView)
            proxies += (document.arrayValue ?? []).map { ProxySync($0, istiod: pod) }
        }
        return proxies
    }

    /// How many of the proxies that an object concerns have it, over all instances; `nil` while one does not know it.
    func distribution(of object: KubernetesObject) async throws -> DistributionReport? {
        var sum = DistributionReport()
        for pod in try await pods() {
            let query =
                "kind=\(object.kind)&group=\(object.group)&namespace=\(object.namespace)"
                + "&name=\(object.name)&generation=\(object.generation)"
            let answer = try await debug(pod, "/debug/distribution?\(query)")
            let document = try JSONValue(parsing: answer.readableBytesView)
            guard document["known"]?.boolValue == true else { return nil }
            sum.confirmed += document["confirmed"]?.intValue ?? 0
            sum.concerned += document["concerned"]?.intValue ?? 0
            sum.waiting += (document["waiting"]?.arrayValue ?? []).compactMap(\.stringValue)
        }
        return sum
    }

    /// The versions of all instances, without repetition.
    func versions() async throws -> [String] {
        var found: [String] = []
        for pod in try await pods() {
            let text = String(buffer: try await get(pod, "/version"))
            let version = String(text.prefix { $0 != "-" && !$0.isWhitespace })
            if !found.contains(version) { found.append(version) }
        }
        return found
    }

    /// A page that only accounts of the control plane's namespace may read.
    private func debug(_ pod: String, _ path: String) async throws -> ByteBuffer {
        let token = try await token.value { try await makeToken() }
        return try await get(pod, path, [("x-weft-authorization", "Bearer \(token)")])
    }

    /// Requests as one instance is told of them, as server-sent events.
    func tap(_ pod: String, _ filter: [(String, String)]) async throws -> LogStream {
        let token = try await token.value { try await makeToken() }
        return try await client.podProxyStream(
            namespace: namespace, pod: pod, port: 15014, path: "/debug/tap", query: filter,
            headers: [("x-weft-authorization", "Bearer \(token)")])
    }

    private func makeToken() async throws -> String {
        do {
            return try await client.createToken(
                namespace: namespace, serviceAccount: "istiod", audiences: ["istio-ca"], expirationSeconds: 3_600)
        } catch let error as KubernetesError where error.code == 403 {
            throw CommandFailure(
                "the control plane's debug endpoints need a token of ServiceAccount istiod, and you may not make one: "
                    + "ask for the right to create serviceaccounts/token in namespace \(namespace).")
        }
    }

    private func get(_ pod: String, _ path: String, _ headers: [(String, String)] = []) async throws -> ByteBuffer {
        try await client.podProxyGet(namespace: namespace, pod: pod, port: 15014, path: path, headers: headers)
    }
}

/// The token of one command, made when it is first needed; commands that look again and again use it again.
private actor DebugToken {
    private var known: (token: String, until: ContinuousClock.Instant)?

    func value(_ make: () async throws -> String) async throws -> String {
        if let known, known.until > .now { return known.token }
        let token = try await make()
        known = (token, .now + .seconds(1_800))
        return token
    }
}
