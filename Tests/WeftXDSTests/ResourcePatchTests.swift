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

    private static let script: JSONValue = [
        "name": "script",
        "typed_config": [
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": ["inline_string": "function envoy_on_request(h) end"],
        ],
    ]

    /// Envoy gets what only it has as a struct with the message's name; what we have is checked for it as well.
    @Test func envoyGetsExtensionsThatOnlyItHas() throws {
        var configuration = configuration()
        configuration.patches = [
            patch(.httpFilter, .insertFirst, Self.script),
            patch(.cluster, .merge, ["connect_timeout": "many"], index: 1),
        ]
        let encoded = try EncodedConfiguration(configuration, target: .envoy)
        #expect(Set(encoded.patchReport.diagnostics.map(\.path)) == ["spec.configPatches[1].patch"])
        let bytes = try #require(encoded.resources[.listener]?["0.0.0.0_80"]).any.value
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("xds.type.v3.TypedStruct") && text.contains("filters.http.lua.v3.Lua"))
        #expect(text.contains("default_source_code") && text.contains("function envoy_on_request"))
    }

    /// As Istio's tasks write extensions.
    @Test(arguments: ["udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct"])
    func typedStructsAreTheMessagesThatTheyName(_ name: String) throws {
        let value: JSONValue = [
            "name": "limit",
            "typed_config": [
                "@type": .string("type.googleapis.com/\(name)"), "type_url": .string(Self.buffer),
                "value": ["max_request_bytes": 9],
            ],
        ]
        let (result, report) = try apply([patch(.httpFilter, .insertFirst, value)])
        #expect(report.diagnostics.isEmpty)
        let filter = try #require(result.listeners["0.0.0.0_80"]?.managers.first?.filters.first)
        #expect(filter.kind == .buffer(BufferFilter(maxRequestBytes: 9)))
        #expect(PatchValue.check(value, as: .whole(.httpFilter)) == .init())
        var wrong = value
        wrong[path: "typed_config", "value"] = ["max_request_bytes": "many"]
        let found = PatchValue.check(wrong, as: .whole(.httpFilter))
        #expect(found.errors.map(\.path) == ["typed_config.value.max_request_bytes"])
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
            (["name": "x", "typed_config": "text"], "expected an object"), (["typed_config": ["a": 1]], "@type"),
            (
                [
                    "name": "x",
                    "typed_config": ["@type": .string(buffer), "max_request_bytes": "many"],
                ], "expected an integer"
            ),
        ] as [(JSONValue, String)])
    func refusesWhatCannotBeDecoded(_ value: JSONValue, _ reason: String) throws {
        let (result, report) = try apply([patch(.httpFilter, .insertFirst, value)])
        #expect(names(result, "0.0.0.0_80") == Self.before + [Self.router])
        #expect(report.diagnostics.contains { $0.severity == .error && $0.message.contains(reason) }, "\(report)")
        #expect(report.diagnostics.allSatisfy { $0.path == "spec.configPatches[0].patch" && $0.resource == Self.owner })
    }

    /// A field that no message has is left out, as in Istio; the rest of the patch is applied.
    @Test func leavesOutWhatIsNoField() throws {
        let value: JSONValue = [
            "name": "limit", "nonsense": 1,
            "typed_config": ["@type": .string(Self.buffer), "max_request_bytes": 9, "a": 1],
        ]
        let (result, report) = try apply([
            patch(.httpFilter, .insertFirst, value), patch(.cluster, .merge, ["nonsense": [:]], index: 1),
        ])
        #expect(names(result, "0.0.0.0_80").first == "limit")
        #expect(report.diagnostics.allSatisfy { $0.severity == .warning })
        #expect(
            Set(report.diagnostics.map(\.path)) == ["spec.configPatches[0].patch", "spec.configPatches[1].patch"])
        #expect(report.diagnostics.filter { $0.message.contains("typed_config.a") }.count == 1, "\(report)")
    }

    /// Whole by themselves, these would have a proxy refuse the listener or table that they are put into.
    @Test(
        arguments: [
            (.httpFilter, .remove, nil, "the last HTTP filter must be the router"),
            (.httpFilter, .insertAfter, newFilter, "the last HTTP filter must be the router"),
            (
                .httpFilter, .insertFirst,
                [
                    "name": "r",
                    "typed_config": ["@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"],
                ], "is behind the router"
            ),
            (
                .networkFilter, .add,
                [
                    "name": "t",
                    "typed_config": [
                        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                        "stat_prefix": "t", "cluster": "c",
                    ],
                ], "behind the one that forwards"
            ),
            (
                .virtualHost, .add, ["name": "other", "domains": ["web"], "routes": []],
                "domain web is in more than one virtual host"
            ),
            (.virtualHost, .add, ["name": "web:80", "domains": ["x"]], "two virtual hosts called \"web:80\""),
            (
                .httpRoute, .insertFirst,
                ["match": ["safe_regex": ["regex": "a("]], "direct_response": ["status": 200]], "error parsing regexp"
            ),
        ] as [(ResourcePatch.Target, ResourcePatch.Operation, JSONValue?, String)])
    func refusesWhatBreaksTheWhole(
        _ target: ResourcePatch.Target, _ operation: ResourcePatch.Operation, _ value: JSONValue?, _ reason: String
    ) throws {
        let (result, report) = try apply([
            patch(target, operation, value) {
                guard target == .httpFilter else { return }
                $0.listener = .init()
                $0.listener?.filter = "envoy.filters.network.http_connection_manager"
                $0.listener?.subFilter = Self.router
            }
        ])
        let plain = try apply([]).0
        #expect(result == plain)
        #expect(report.diagnostics.contains { $0.severity == .error && $0.message.contains(reason) }, "\(report)")
    }

    /// What a proxy that has a field would get in its place is nothing, not a value that nobody wrote.
    @Test func doesNotSendFieldsThatAreLeftOut() throws {
        let message = try #require(FieldSchema.shared.messages["envoy.config.cluster.v3.Cluster"])
        let field = try #require(
            message.fields.first {
                $0.isLeftOut && !$0.isRepeated
                    && FieldSupport.shared.unknown(message.name, $0.number).verdict == .ignored
            })
        var configuration = configuration()
        let plain = try EncodedConfiguration(configuration, target: .envoy)
        configuration.patches = [
            patch(.cluster, .merge, .object([field.name: field.kind == .message ? [:] : 7])) {
                $0.cluster = .init()
                $0.cluster?.name = "BlackHoleCluster"
            }
        ]
        let patched = try EncodedConfiguration(configuration, target: .envoy)
        #expect(patched.resources[.cluster]?["BlackHoleCluster"] == plain.resources[.cluster]?["BlackHoleCluster"])
        #expect(patched.patchReport.diagnostics.map(\.severity) == [.warning])
    }

    @Test(
        arguments: [
            (.part(.cluster), ["connect_timeout": "1s", "lb_policy": "RANDOM"], nil, nil),
            (.part(.cluster), ["connect_timeout": 1], "connect_timeout", nil),
            (.part(.cluster), ["lbPolicy": "FASTEST"], "lbPolicy", nil),
            (.part(.cluster), ["conect_timeout": "1s"], nil, "conect_timeout"),
            (.whole(.httpFilter), newFilter, nil, nil),
            (.whole(.httpFilter), ["name": "x", "typed_config": ["@type": .string(buffer)]], "", nil),
            (
                .whole(.httpFilter),
                ["name": "x", "typed_config": ["@type": "type.googleapis.com/envoy.extensions.x.v3.X", "a": 1]], nil,
                "typed_config.@type"
            ),
            (.whole(.httpFilter), ["name": "x", "config_discovery": ["type_urls": [.string(buffer)]]], nil, nil),
            (.whole(.cluster), ["name": "c", "type": "STATIC"], nil, nil),
            (.whole(.listener), ["name": "l"], "", nil),
            (
                .whole(.httpRoute), ["match": ["safe_regex": ["regex": "("]], "direct_response": ["status": 200]],
                "match.safe_regex.regex", nil
            ),
            (.whole(.virtualHost), ["name": "h", "domains": "x"], "domains", nil),
            (
                .extensionConfig, ["name": "x", "typed_config": ["@type": .string(buffer), "b": 1]], nil,
                "typed_config.b"
            ),
            (
                .bootstrap, ["admin": ["address": ["socket_address": ["port_value": "x"]]]],
                "admin.address.socket_address.port_value", nil
            ),
        ] as [(PatchValue.Kind, JSONValue, String?, String?)])
    func valuesAreReadBeforeThereIsAnythingToPatch(
        _ kind: PatchValue.Kind, _ value: JSONValue, _ error: String?, _ warning: String?
    ) {
        let findings = PatchValue.check(value, as: kind)
        #expect(findings.errors.first?.path == error, "\(findings)")
        #expect(findings.warnings.first?.path == warning, "\(findings)")
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
