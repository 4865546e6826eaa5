import Testing
import WeftCore
import WeftIR

@testable import WeftXDS

/// Bootstraps in JSON form: what is read, and where problems are said to be.
@Suite struct BootstrapTests {
    private static func cluster(_ name: String) -> JSONValue {
        [
            "name": .string(name), "type": "STATIC", "connect_timeout": "0.25s",
            "load_assignment": [
                "cluster_name": .string(name),
                "endpoints": [
                    [
                        "lb_endpoints": [
                            [
                                "endpoint": [
                                    "address": ["socket_address": ["address": "127.0.0.1", "port_value": 8080]]
                                ]
                            ]
                        ]
                    ]
                ],
            ],
        ]
    }

    private static func listener(_ name: String, filter: JSONValue) -> JSONValue {
        [
            "name": .string(name), "address": ["socket_address": ["address": "0.0.0.0", "port_value": 10000]],
            "filter_chains": [["filters": [["name": "f", "typed_config": filter]]]],
        ]
    }

    private static let tcp: JSONValue = [
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "s",
        "cluster": "c",
    ]

    private func problems(_ value: JSONValue) -> [String] {
        do {
            _ = try BootstrapDecoder.decode(value)
            return []
        } catch { return error.problems.map(\.description) }
    }

    @Test func readsStaticResources() throws {
        let value: JSONValue = [
            "node": ["id": "n", "cluster": "k", "locality": ["zone": "z"], "metadata": ["A": ["b": 1]]],
            "admin": ["address": ["socket_address": ["address": "127.0.0.1", "port_value": 9901]]],
            "static_resources": ["listeners": [Self.listener("l", filter: Self.tcp)], "clusters": [Self.cluster("c")]],
            "layered_runtime": [
                "layers": [
                    ["name": "one", "static_layer": ["a": ["b": 1, "c": 2]]],
                    ["name": "two", "static_layer": ["a.b": 3]],
                ]
            ],
            "cluster_manager": ["local_cluster_name": "c"],
        ]
        let bootstrap = try BootstrapDecoder.decode(value).bootstrap
        #expect(bootstrap.node.id == "n")
        #expect(bootstrap.node.locality.zone == "z")
        #expect(bootstrap.node.metadata["A"]?["b"] == 1)
        #expect(bootstrap.admin == .ip("127.0.0.1", port: 9901))
        #expect(bootstrap.runtime == ["a.b": 3, "a.c": 2])
        #expect(bootstrap.localCluster == "c")
        let cluster = try #require(bootstrap.configuration.clusters["c"])
        #expect(cluster.connectTimeoutMilliseconds == 250)
        #expect(cluster.endpoints?.localities.first?.endpoints.first?.address == .ip("127.0.0.1", port: 8080))
        guard case .tcpProxy(let proxy) = bootstrap.configuration.listeners["l"]?.filterChains[0].filters[0] else {
            Issue.record("no TCP proxy")
            return
        }
        #expect(proxy.cluster == .cluster("c"))
    }

    /// Each problem with the path as it is written in the file.
    static let mistakes: [(JSONValue, String)] = [
        (["static_resource": [:]], "static_resource: envoy.config.bootstrap.v3.Bootstrap has no such field"),
        (
            ["static_resources": ["clusters": [["name": "a", "connect_timeout": "5"]]]],
            "static_resources.clusters[0].connect_timeout: expected a duration"
        ),
        (
            ["static_resources": ["clusters": [["name": "a", "type": "STATIK"]]]],
            "static_resources.clusters[0].type: STATIK is not supported; use one of STATIC,"
        ),
        (
            ["static_resources": ["clusters": [["name": "a", "lb_policy": 1, "type": "EDS", "cluster_type": [:]]]]],
            "static_resources.clusters[0].cluster_type: only one of type and cluster_type may be given"
        ),
        (
            ["static_resources": ["clusters": [cluster("a"), cluster("a")]]],
            "static_resources.clusters[1]: the name \"a\" is used twice"
        ),
        (
            ["static_resources": ["listeners": [listener("l", filter: ["@type": "t/x.Y"])]]],
            "static_resources.listeners[0].filter_chains[0].filters[0]: network filter f (x.Y) is not supported"
        ),
        (
            ["static_resources": ["listeners": [listener("l", filter: ["a": 1])]]],
            "static_resources.listeners[0].filter_chains[0].filters[0].typed_config: \"@type\" is missing"
        ),
        (
            ["admin": ["address": ["socket_address": ["address": "::1", "port_value": 70_000]]]],
            "admin.address: port 70000 is out of range"
        ),
        (
            ["dynamic_resources": ["cds_config": ["ads": [:]]]],
            "dynamic_resources.ads_config: is missing, and ads is used"
        ),
        (["header_prefix": "x"], "header_prefix: is not supported: headers keep the prefix x-envoy"),
    ]

    @Test(arguments: mistakes) func saysWhereAndWhy(value: JSONValue, expected: String) {
        let found = problems(value)
        #expect(found.contains { $0.hasPrefix(expected) }, "\(found)")
    }

    @Test func tellsAllProblemsAtOnce() {
        #expect(problems(["nodes": [:], "admin": ["adress": [:]], "static_resources": ["clusters": [1]]]).count == 3)
    }

    /// A published field that we do not have is no spelling mistake.
    @Test func namesWhatItDoesNotKnow() throws {
        let result = try BootstrapDecoder.decode([
            "stats_sinks": [["name": "s"]], "stats_config": ["use_all_default_tags": true],
        ])
        #expect(result.warnings.contains { $0.hasPrefix("stats_sinks has no effect") })
        #expect(!result.warnings.contains { $0.contains("stats_config") })
    }

    @Test func numbersAndNamesInEveryForm() throws {
        let value: JSONValue = [
            "static_resources": [
                "clusters": [
                    [
                        "name": "c", "connectTimeout": "1.5s", "lbPolicy": "LEAST_REQUEST",
                        "leastRequestLbConfig": ["choiceCount": "5"],
                        "commonLbConfig": ["healthyPanicThreshold": ["value": 10]], "altStatName": .null,
                    ]
                ]
            ]
        ]
        let cluster = try #require(try BootstrapDecoder.decode(value).bootstrap.configuration.clusters["c"])
        #expect(cluster.connectTimeoutMilliseconds == 1_500)
        #expect(cluster.loadBalancer == .leastRequest(choiceCount: 5))
        #expect(cluster.healthyPanicThresholdPercent == 10)
    }

    @Test func readsAResourceFile() throws {
        let value: JSONValue = [
            "resources": [
                [
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", "name": "s",
                    "tls_certificate": ["certificate_chain": ["filename": "/c"], "private_key": ["filename": "/k"]],
                ]
            ]
        ]
        let results = try ResourceFile.decode(value)
        let secret = Secret(name: "s", content: .certificateFrom(chain: .file("/c"), privateKey: .file("/k")))
        #expect(results.map(\.value) == [.secret(secret)])
    }
}
