import FoundationEssentials
package import WeftADS
package import WeftCore
package import WeftIdentity
import WeftXDS

/// What a proxy is in the mesh; the first word of its node id.
package enum ProxyRole: String, Sendable { case sidecar, router }

/// Where the agent's files are. One value, so that tests can have theirs.
package struct AgentPaths: Sendable {
    package var token = "/var/run/secrets/tokens/istio-token"
    package var root = "/var/run/secrets/istio/root-cert.pem"
    /// Revocation lists; the file is there only if the mesh has some.
    package var revocations = "/var/run/secrets/istio/ca-crl.pem"
    package var labels = "/etc/istio/pod/labels"
    package var annotations = "/etc/istio/pod/annotations"
    /// Bootstrap and secrets for real Envoy.
    package var proxyDirectory = "/etc/istio/proxy"
    package init() {}

    static func text(_ path: String) -> String? {
        (try? Data(contentsOf: URL(filePath: path))).map { String(decoding: $0, as: UTF8.self) }
    }
}

extension AgentPaths {
    /// A file that every pod of the mesh has is not there.
    struct MissingFile: Error, CustomStringConvertible {
        var path: String
        var description: String { "cannot read \(path)" }
    }

    static func required(_ path: String) throws -> String {
        guard let text = text(path) else { throw MissingFile(path: path) }
        return text
    }
}

/// Everything that the environment tells the agent, read once at start.
package struct AgentSettings: Sendable {
    package var role: ProxyRole
    package var paths: AgentPaths
    package var discovery: HostAndPort
    package var authority: HostAndPort
    package var node: ADSNode
    /// For the process's environment: see ``CanonicalName/marker``.
    package var canonicalEnvironment: [String: String]
    package var namespace: String
    package var identity: SPIFFEIdentity?
    package var instanceIP: String
    package var concurrency: Int
    package var inherited: [UInt16: CInt]
    /// Wished certificate lifetime in seconds; 0 leaves it to the authority.
    package var certificateSeconds: Int64
    /// `ISTIO_KUBE_APP_PROBERS`: path to the application's own probe.
    package var probers: [String: JSONValue]
    /// `ISTIO_PROMETHEUS_ANNOTATIONS`: where the application's own metrics are.
    package var applicationMetrics: JSONValue?
    /// The most series of Istio's metrics that the proxy keeps (`WEFT_METRIC_SERIES_LIMIT`).
    package var metricSeriesLimit = ProxyMetrics.defaultSeriesLimit
    /// Where the proxy is, as far as its pod says, and the cluster of its peers if it asks for one
    /// (`ISTIO_META_ENABLE_SELF_DISCOVERY`).
    package var home: ProxyHome
    /// The proxy answers its workload's DNS questions (`ISTIO_META_DNS_CAPTURE`).
    package var capturesDNS: Bool
    /// How to find out whether the application is well (`readinessProbe` of ProxyConfig); `nil` leaves it to the kubelet.
    var applicationProbe: ApplicationProbe?
    /// Settings that cannot be read and are left out, in words for the log.
    package var problems: [String] = []

    package init(
        role: ProxyRole, environment: [String: String], domain: String? = nil, concurrency: Int? = nil,
        paths: AgentPaths = AgentPaths()
    ) {
        self.role = role
        self.paths = paths
        let proxyConfig = Self.json(environment["PROXY_CONFIG"]) ?? .object([:])
        let discoveryText =
            environment["WEFT_DISCOVERY_ADDRESS"] ?? proxyConfig["discoveryAddress"]?.stringValue
            ?? "istiod.istio-system.svc:15012"
        discovery = HostAndPort(discoveryText, defaultPort: 15012)
        authority = environment["CA_ADDR"].map { HostAndPort($0, defaultPort: 15012) } ?? discovery
        namespace = environment["POD_NAMESPACE"] ?? "default"
        let account = environment["SERVICE_ACCOUNT"] ?? "default"
        identity = try? SPIFFEIdentity(
            trustDomain: environment["TRUST_DOMAIN"] ?? "cluster.local", namespace: namespace, serviceAccount: account)
        instanceIP = environment["INSTANCE_IP"] ?? "127.0.0.1"
        // Two are the most that limits still hold well with; a sidecar has one so that they hold exactly.
        let wished = concurrency ?? proxyConfig["concurrency"]?.intValue ?? 1
        self.concurrency = min(2, max(1, wished))
        inherited = Self.descriptors(environment["WEFT_LISTEN_FDS"] ?? "")
        certificateSeconds = environment["SECRET_TTL"].flatMap(GoDuration.seconds) ?? 0
        if let text = environment["SECRET_TTL"], !text.isEmpty, certificateSeconds == 0 {
            problems.append(
                "SECRET_TTL \"\(text)\" is no duration such as 24h0m0s or 90s; the authority's default holds")
        }
        if let text = environment["WEFT_METRIC_SERIES_LIMIT"], !text.isEmpty {
            if let limit = Int(text), limit > 0 {
                metricSeriesLimit = limit
            } else {
                problems.append(
                    "WEFT_METRIC_SERIES_LIMIT \"\(text)\" is no number above 0; the limit stays \(metricSeriesLimit)")
            }
        }
        probers = Self.json(environment["ISTIO_KUBE_APP_PROBERS"])?.objectValue ?? [:]
        capturesDNS = environment["ISTIO_META_DNS_CAPTURE"]?.lowercased() == "true"
        applicationMetrics = Self.json(environment["ISTIO_PROMETHEUS_ANNOTATIONS"])
        if let probe = proxyConfig["readinessProbe"], probe.objectValue != nil {
            applicationProbe = ApplicationProbe(probe)
            if applicationProbe == nil {
                problems.append(
                    "readinessProbe \(probe.text()) asks for nothing that can be probed; the application counts as well"
                )
            }
        }
        var labels = DownwardAPIFile.parse(AgentPaths.text(paths.labels) ?? "")
        for (name, value) in Self.json(environment[NodeDescription.labelsVariable])?.objectValue ?? [:] {
            labels[name] = value.stringValue
        }
        let description = NodeDescription(
            role: role, environment: environment, namespace: namespace, account: account, address: instanceIP,
            domain: domain, proxyConfig: proxyConfig,
            labels: labels,
            annotations: DownwardAPIFile.parse(AgentPaths.text(paths.annotations) ?? ""))
        node = description.node
        let discoversItself = environment["ISTIO_META_ENABLE_SELF_DISCOVERY"]?.lowercased() == "true"
        home = ProxyHome(
            locality: description.locality, cluster: discoversItself ? "local_cluster" : "", address: instanceIP)
        canonicalEnvironment = description.canonicalEnvironment
    }

    /// How to reach the control plane, with the token and the roots of the moment.
    var discoveryClient: ADSClient.Configuration {
        var configuration = ADSClient.Configuration(host: discovery.host, port: discovery.port, node: node)
        let paths = paths
        if capturesDNS { configuration.wildcards.append(.names) }
        configuration.roots = { try AgentPaths.required(paths.root) }
        configuration.token = { try AgentPaths.required(paths.token) }
        return configuration
    }

    private static func json(_ text: String?) -> JSONValue? { text.flatMap { try? JSONValue(parsing: $0) } }

    /// `8080=5,8443=6`: port and the descriptor of a socket that listens for it.
    static func descriptors(_ text: String) -> [UInt16: CInt] {
        var result: [UInt16: CInt] = [:]
        for item in text.split(separator: ",") {
            let pair = item.split(separator: "=")
            guard pair.count == 2, let port = UInt16(pair[0]), let descriptor = CInt(pair[1]), descriptor > 2 else {
                continue
            }
            result[port] = descriptor
        }
        return result
    }
}

/// An address as people write it, `host:port`.
package struct HostAndPort: Sendable, Hashable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(_ text: String, defaultPort: Int) {
        if let colon = text.lastIndex(of: ":"), let number = Int(text[text.index(after: colon)...]) {
            host = String(text[..<colon])
            port = number
        } else {
            host = text
            port = defaultPort
        }
    }

    package var description: String { "\(host):\(port)" }
}
