import Foundation
import SwiftProtobuf
import Testing
import WeftCore
import WeftIR

@testable import WeftXDS

/// Patches of EnvoyFilters on encoded resources, as a proxy then decodes them.
struct ResourcePatchTests {
    private static let owner = ResourceReference(kind: "EnvoyFilter", namespace: "dev", name: "f")
    private static let fault = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
    private static let buffer = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer"

    private func configuration() -> ProxyConfiguration {
        var configuration = ProxyConfiguration()
        var cluster = Cluster(name: "outbound|80|v1|web.dev.svc.cluster.local", discovery: .eds(serviceName: ""))
        cluster.connectTimeoutMilliseconds = 10_000
        cluster.circuitBreakers.maxConnections = 7
        configuration.clusters = [
            cluster.name: cluster, "BlackHoleCluster": Cluster(name: "BlackHoleCluster", discovery: .static),
        ]
        let route = Route(
            name: "r", match: RouteMatch(path: .prefix("/")),
            action: .forward(RouteAction(cluster: .cluster(cluster.name))))
        let host = VirtualHost(name: "web:80", domains: ["web"], routes: [route])
        configuration.routes["80"] = RouteConfiguration(name: "80", virtualHosts: [host])
        var outbound = Listener(name: "0.0.0.0_80", address: .ip("0.0.0.0", port: 80))
        outbound.trafficDirection = .outbound
        outbound.filterChains = [chain("c", .rds("80"))]
        var inbound = Listener(name: "virtualInbound", address: .ip("0.0.0.0", port: 15006))
        inbound.trafficDirection = .inbound
        var one = chain("0.0.0.0_9080", .inline(RouteConfiguration(name: "inbound|9080||", virtualHosts: [host])))
        one.match.destinationPort = 9080
        inbound.filterChains = [one]
        configuration.listeners = [outbound.name: outbound, inbound.name: inbound]
        return configuration
    }

    private func chain(_ name: String, _ routes: HTTPConnectionManager.Routes) -> FilterChain {
        let filters = [
            HTTPFilter(name: "envoy.filters.http.fault", kind: .fault(Fault())),
            HTTPFilter(name: "envoy.filters.http.cors", kind: .cors),
            HTTPFilter(name: "envoy.filters.http.router", kind: .router),
        ]
        return FilterChain(
            name: name,
            filters: [.httpConnectionManager(HTTPConnectionManager(statPrefix: name, routes: routes, filters: filters))]
        )
    }

    private func patch(
        _ target: ResourcePatch.Target, _ operation: ResourcePatch.Operation, _ value: JSONValue? = nil, index: Int = 0,
        _ change: (inout ResourcePatch) -> Void = { _ in }
    ) -> ResourcePatch {
        var patch = ResourcePatch(
            target: target, operation: operation, provenance: Provenance(Self.owner, rule: index))
        patch.value = value
        change(&patch)
        return patch
    }

    private func apply(_ patches: [ResourcePatch]) throws -> (ProxyConfiguration, PatchReport) {
        var configuration = configuration()
        configuration.patches = patches
        let encoded = try EncodedConfiguration(configuration, target: .weft)
        var result = ProxyConfiguration()
        for resource in encoded.resources.values.flatMap(\.values) {
            result.set(try XDSDecoder().decode(resource.any).value)
        }
        return (result, encoded.patchReport)
    }

    private func names(_ configuration: ProxyConfiguration, _ listener: String) -> [String] {
        for case .httpConnectionManager(let manager) in configuration.listeners[listener]?.filterChains[0].filters ?? []
        {
            return manager.filters.map(\.name)
        }
        return []
    }

    private static let newFilter: JSONValue = [
        "name": "limit", "typedConfig": ["@type": .string(buffer), "maxRequestBytes": 1024],
    ]
    private static let router = "envoy.filters.http.router"
    private static let before = ["envoy.filters.http.fault", "envoy.filters.http.cors"]

    @Test(
        arguments: [
            (.add, nil, before + ["limit", router]), (.insertFirst, nil, ["limit"] + before + [router]),
            (.insertBefore, "envoy.filters.http.cors", [before[0], "limit", before[1], router]),
            (.insertAfter, "envoy.filters.http.cors", before + ["limit", router]),
            (.replace, "envoy.filters.http.cors", [before[0], "limit", router]),
            (.remove, "envoy.filters.http.cors", [before[0], router]),
        ] as [(ResourcePatch.Operation, String?, [String])])
    func placesHTTPFilters(_ operation: ResourcePatch.Operation, _ sub: String?, _ expected: [String]) throws {
        let (result, report) = try apply([
            patch(.httpFilter, operation, Self.newFilter) {
                $0.context = .outbound
                $0.listener = .init()
                $0.listener?.filter = "envoy.filters.network.http_connection_manager"
                $0.listener?.subFilter = sub
            }
        ])
        #expect(names(result, "0.0.0.0_80") == expected)
        #expect(names(result, "virtualInbound") == Self.before + [Self.router])
        #expect(report.diagnostics.isEmpty)
        #expect(report.matched.count == 1 && report.unmatched.isEmpty)
    }

    @Test func mergesClustersFieldByField() throws {
        let (result, _) = try apply([
            patch(
                .cluster, .merge,
                [
                    "connect_timeout": "0.250s", "circuit_breakers": ["thresholds": [["max_retries": 3]]],
                    "lb_policy": "RANDOM",
                ]
            ) {
                $0.cluster = .init()
                $0.cluster?.service = "web.dev.svc.cluster.local"
                $0.cluster?.subset = "v1"
                $0.cluster?.port = 80
            }
        ])
        let cluster = try #require(result.clusters["outbound|80|v1|web.dev.svc.cluster.local"])
        #expect(cluster.connectTimeoutMilliseconds == 250)
        #expect(cluster.loadBalancer == .random)
        #expect(result.clusters["BlackHoleCluster"]?.loadBalancer == .roundRobin)
    }

    @Test func addsAndRemovesResources() throws {
        let (result, report) = try apply([
            patch(
                .cluster, .add,
                [
                    "name": "extra", "type": "STRICT_DNS", "connectTimeout": "1s",
                    "loadAssignment": [
                        "clusterName": "extra",
                        "endpoints": [
                            [
                                "lbEndpoints": [
                                    [
                                        "endpoint": [
                                            "address": [
                                                "socketAddress": ["address": "extra.example", "portValue": 81]
                                            ]
                                        ]
                                    ]
                                ]
                            ]
                        ],
                    ],
                ]),
            patch(.cluster, .remove, index: 1) {
                $0.cluster = .init()
                $0.cluster?.name = "BlackHoleCluster"
            },
        ])
        #expect(result.clusters["extra"]?.discovery == .strictDNS)
        #expect(result.clusters["BlackHoleCluster"] == nil)
        #expect(report.diagnostics.isEmpty)
    }

    @Test func changesRoutesOfTablesAndListeners() throws {
        let value: JSONValue = ["name": "r", "match": ["prefix": "/x"], "direct_response": ["status": 418]]
        let (result, _) = try apply([
            patch(.httpRoute, .insertFirst, value) {
                $0.context = .inbound
                $0.route = .init()
                $0.route?.ports = [9080]
            },
            patch(.virtualHost, .merge, ["include_request_attempt_count": true], index: 1) {
                $0.context = .outbound
                $0.route = .init()
                $0.route?.virtualHost = "web:80"
            },
            patch(.routeConfiguration, .merge, ["response_headers_to_remove": ["x-internal"]], index: 2) {
                $0.context = .outbound
            },
        ])
        guard
            case .httpConnectionManager(let manager)? = result.listeners["virtualInbound"]?.filterChains[0].filters[0],
            case .inline(let table) = manager.routes
        else {
            Issue.record("no inline table")
            return
        }
        #expect(table.virtualHosts[0].routes.count == 2)
        #expect(table.virtualHosts[0].includeRequestAttemptCount == false)
        #expect(result.routes["80"]?.virtualHosts[0].includeRequestAttemptCount == true)
        #expect(result.routes["80"]?.responseHeaders.remove == ["x-internal"])
        #expect(result.routes["80"]?.virtualHosts[0].routes.count == 1)
    }

    @Test func mergesTypedConfigurationOfOneTypeOnly() throws {
        let (result, _) = try apply([
            patch(
                .networkFilter, .merge,
                [
                    "typed_config": [
                        "@type":
                            "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                        "server_name": "mine", "stream_idle_timeout": "7s",
                    ]
                ]
            ) {
                $0.listener = .init()
                $0.listener?.filter = "envoy.filters.network.http_connection_manager"
                $0.listener?.port = 9080
            }
        ])
        guard case .httpConnectionManager(let manager)? = result.listeners["virtualInbound"]?.filterChains[0].filters[0]
        else {
            Issue.record("no manager")
            return
        }
        #expect(manager.serverName == "mine")
        #expect(manager.streamIdleTimeoutMilliseconds == 7_000)
        #expect(manager.filters.count == 3)
        guard case .httpConnectionManager(let other)? = result.listeners["0.0.0.0_80"]?.filterChains[0].filters[0]
        else {
            return
        }
        #expect(other.serverName == nil)
    }

    /// The resource stays as it was, and the object says why.
    @Test(
        arguments: [
            (
                [
                    "name": "x",
                    "typed_config": ["@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"],
                ], "Lua"
            ),
            (["name": "x", "nonsense": 1], "no such field"), (["typed_config": ["a": 1]], "@type"),
        ] as [(JSONValue, String)])
    func refusesWhatCannotBeDecoded(_ value: JSONValue, _ reason: String) throws {
        let (result, report) = try apply([patch(.httpFilter, .insertFirst, value)])
        #expect(names(result, "0.0.0.0_80") == Self.before + [Self.router])
        #expect(report.diagnostics.contains { $0.severity == .error && $0.message.contains(reason) }, "\(report)")
        #expect(report.diagnostics.allSatisfy { $0.path == "spec.configPatches[0].patch" && $0.resource == Self.owner })
    }

    @Test func tellsWhatMatchesNothing() throws {
        let (_, report) = try apply([
            patch(.cluster, .remove) {
                $0.cluster = .init()
                $0.cluster?.name = "nowhere"
            }
        ])
        #expect(PatchReport.unmatched(in: [report]).map(\.path) == ["spec.configPatches[0]"])
        var other = PatchReport()
        other.matched = report.unmatched
        #expect(PatchReport.unmatched(in: [report, other]).isEmpty)
    }

    /// Everything that is encoded reads the same in JSON and back.
    @Test func jsonFormIsLossless() throws {
        let encoder = XDSEncoder(target: .weft)
        for listener in configuration().listeners.values {
            let any = try encoder.encode(listener)
            let message = "envoy.config.listener.v3.Listener"
            let json = try JSONMessageDecoder().decode(any.value, as: message)
            var writer = JSONMessageEncoder()
            var again = any
            again.value = .init(writer.encode(json, as: message, path: ""))
            #expect(writer.problems.isEmpty)
            #expect(try XDSDecoder().decode(again).value == .listener(listener))
        }
    }
}
