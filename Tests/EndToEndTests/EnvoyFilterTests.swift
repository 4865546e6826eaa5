import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// The kinds of EnvoyFilters that people use, each seen in what a proxy answers or shows: with `weft-proxy` and with
    /// real Envoy as sidecars, and at the ingress gateway.
    @Suite(.serialized) struct EnvoyFilterTests {
        typealias Plane = BothProxiesTests.Plane

        private static let weft = Task { try await start(.weft) }
        private static let envoy = Task { try await start(.envoy) }
        private static func caller(_ plane: Plane) async throws -> Caller {
            try await (plane == .weft ? weft : envoy).value
        }
        private static func namespace(_ plane: Plane) -> String { "patched-\(plane)" }

        private static func start(_ plane: Plane) async throws -> Caller {
            let mesh = try await LocalMesh.shared()
            let namespace = namespace(plane)
            func sample(_ name: String) -> String {
                Manifests.sample(
                    name: name, app: name, version: "v1", namespace: namespace, arguments: ["echo", "--port", "9080"],
                    annotations: plane.annotations)
            }
            let names = ["echo", "limited", "scripted"]
            let patches = [routes, clusters, listeners, filters, limits, script].map {
                $0.replacingOccurrences(of: "$NS", with: namespace)
            }
            try await mesh.start(
                namespace: namespace,
                names.map(sample) + names.map { Manifests.service(name: $0, port: 9080, namespace: namespace) }
                    + [Manifests.client(namespace: namespace, annotations: plane.annotations)] + patches)
            return Caller(mesh: mesh, namespace: namespace)
        }

        // MARK: - Route tables

        private static let routes = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: echo, namespace: $NS}
            spec:
              hosts: [echo]
              http:
              - name: named
                match: [{uri: {prefix: /named}}]
                route: [{destination: {host: echo}}]
              - route: [{destination: {host: echo}}]
            ---
            apiVersion: networking.istio.io/v1alpha3
            kind: EnvoyFilter
            metadata: {name: routes, namespace: $NS}
            spec:
              priority: 1
              workloadSelector: {labels: {app: client}}
              configPatches:
              - applyTo: ROUTE_CONFIGURATION
                match: {context: SIDECAR_OUTBOUND, routeConfiguration: {name: "9080"}}
                patch:
                  operation: MERGE
                  value: {response_headers_to_add: [{header: {key: x-table, value: "yes"}}]}
              - applyTo: VIRTUAL_HOST
                match:
                  context: SIDECAR_OUTBOUND
                  routeConfiguration: {vhost: {name: "echo.$NS.svc.cluster.local:9080"}}
                patch:
                  operation: MERGE
                  value: {response_headers_to_add: [{header: {key: x-host, value: "yes"}}]}
              - applyTo: HTTP_ROUTE
                match:
                  context: SIDECAR_OUTBOUND
                  routeConfiguration:
                    vhost: {name: "echo.$NS.svc.cluster.local:9080", route: {name: named}}
                patch:
                  operation: MERGE
                  value: {response_headers_to_add: [{header: {key: x-route, value: "yes"}}]}
              - applyTo: HTTP_ROUTE
                match:
                  context: SIDECAR_OUTBOUND
                  routeConfiguration: {vhost: {name: "echo.$NS.svc.cluster.local:9080"}}
                patch:
                  operation: INSERT_FIRST
                  value: {match: {path: /teapot}, direct_response: {status: 418}}
              - applyTo: HTTP_ROUTE
                match:
                  context: SIDECAR_OUTBOUND
                  routeConfiguration: {vhost: {name: "echo.$NS.svc.cluster.local:9080"}}
                patch:
                  operation: INSERT_FIRST
                  value: {match: {path: /added}, route: {cluster: added}}
            """

        @Test(arguments: Plane.allCases) func tablesHostsAndRoutes(_ plane: Plane) async throws {
            let caller = try await Self.caller(plane)
            try await eventually("the patched table and the endpoints are there", within: 60) {
                let answer = try await caller.get("http://echo:9080/")
                return answer.headers["x-table"] == "yes" && answer.status == 200 ? true : nil
            }
            let plain = try await caller.get("http://echo:9080/")
            #expect(plain.status == 200 && plain.headers["x-host"] == "yes", "\(plain)")
            #expect(plain.headers["x-route"] == nil, "\(plain)")
            let named = try await caller.get("http://echo:9080/named")
            #expect(named.headers["x-route"] == "yes" && named.headers["x-host"] == "yes", "\(named)")
            let other = try await caller.get("http://limited:9080/")
            #expect(other.headers["x-table"] == "yes" && other.headers["x-host"] == nil, "\(other)")
            #expect(try await caller.get("http://echo:9080/teapot").status == 418)
        }

        // MARK: - Clusters and listeners

        private static let clusters = """
            apiVersion: networking.istio.io/v1alpha3
            kind: EnvoyFilter
            metadata: {name: clusters, namespace: $NS}
            spec:
              workloadSelector: {labels: {app: client}}
              configPatches:
              - applyTo: CLUSTER
                match: {context: SIDECAR_OUTBOUND, cluster: {service: "echo.$NS.svc.cluster.local", portNumber: 9080}}
                patch: {operation: MERGE, value: {connect_timeout: 7s}}
              - applyTo: CLUSTER
                match: {context: SIDECAR_OUTBOUND}
                patch:
                  operation: ADD
                  value:
                    name: added
                    type: STATIC
                    connect_timeout: 1s
                    load_assignment:
                      cluster_name: added
                      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 15020}}}}]}]
              - applyTo: CLUSTER
                match: {context: SIDECAR_OUTBOUND, cluster: {service: "ratings.bookinfo.svc.cluster.local"}}
                patch: {operation: REMOVE}
            """

        private static let listeners = """
            apiVersion: networking.istio.io/v1alpha3
            kind: EnvoyFilter
            metadata: {name: listeners, namespace: $NS}
            spec:
              workloadSelector: {labels: {app: client}}
              configPatches:
              - applyTo: LISTENER
                match: {context: SIDECAR_OUTBOUND, listener: {name: 0.0.0.0_9080}}
                patch: {operation: MERGE, value: {per_connection_buffer_limit_bytes: 65537}}
              - applyTo: FILTER_CHAIN
                match: {context: SIDECAR_OUTBOUND, listener: {name: 0.0.0.0_9080, filterChain: {name: 0.0.0.0_9080}}}
                patch: {operation: MERGE, value: {filter_chain_match: {application_protocols: [patched/1]}}}
              - applyTo: NETWORK_FILTER
                match:
                  context: SIDECAR_OUTBOUND
                  listener:
                    name: 0.0.0.0_9080
                    filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}
                patch:
                  operation: MERGE
                  value:
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                      server_name: patched
                      server_header_transformation: OVERWRITE
            """

        @Test(arguments: Plane.allCases) func clustersAndListeners(_ plane: Plane) async throws {
            let caller = try await Self.caller(plane)
            // Through a cluster that only the patch has: the agent's own port, which knows no such page.
            try await eventually("the added cluster is in force", within: 60) {
                try await caller.get("http://echo:9080/added").headers["server"] == "patched" ? true : nil
            }
            let added = try await caller.get("http://echo:9080/added")
            #expect(added.status == 404 && added.echoed("hostname") == nil, "\(added)")
            #expect(try await caller.get("http://echo:9080/").headers["server"] == "patched")
            let dump = try await caller.shell("curl -s http://127.0.0.1:15000/config_dump")
            func holds(_ text: String) -> Bool { dump.replacingOccurrences(of: ": ", with: ":").contains(text) }
            #expect(holds(#""connect_timeout":"7s""#))
            #expect(holds(#""per_connection_buffer_limit_bytes":65537"#))
            #expect(dump.contains(#""patched/1""#))
            #expect(dump.contains("outbound|9080||reviews.bookinfo.svc.cluster.local"))
            #expect(!dump.contains(#""name": "outbound|9080||ratings.bookinfo.svc.cluster.local"#))
        }

        // MARK: - Filters

        /// A filter that stands before the router, and one by the name of an extension.
        private static let filters = """
            apiVersion: networking.istio.io/v1alpha3
            kind: EnvoyFilter
            metadata: {name: filters, namespace: $NS}
            spec:
              priority: 1
              workloadSelector: {labels: {app: echo}}
              configPatches:
              - applyTo: HTTP_FILTER
                match:
                  context: SIDECAR_INBOUND
                  listener:
                    filterChain:
                      filter:
                        name: envoy.filters.network.http_connection_manager
                        subFilter: {name: envoy.filters.http.router}
                patch:
                  operation: INSERT_BEFORE
                  value:
                    name: mark
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
                      mutations: {response_mutations: [{append: {header: {key: x-inbound, value: "yes"}}}]}
              - applyTo: HTTP_FILTER
                match:
                  context: SIDECAR_INBOUND
                  listener:
                    filterChain:
                      filter:
                        name: envoy.filters.network.http_connection_manager
                        subFilter: {name: envoy.filters.http.router}
                patch:
                  operation: INSERT_BEFORE
                  value:
                    name: by-name
                    config_discovery:
                      config_source: {ads: {}, resource_api_version: V3}
                      type_urls: [type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation]
              - applyTo: EXTENSION_CONFIG
                patch:
                  operation: ADD
                  value:
                    name: by-name
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
                      mutations: {response_mutations: [{append: {header: {key: x-extension, value: "yes"}}}]}
            """

        /// As Istio's tasks write it: the message as a `TypedStruct`.
        private static let limits = """
            apiVersion: networking.istio.io/v1alpha3
            kind: EnvoyFilter
            metadata: {name: limits, namespace: $NS}
            spec:
              priority: 1
              workloadSelector: {labels: {app: limited}}
              configPatches:
              - applyTo: HTTP_FILTER
                match:
                  context: SIDECAR_INBOUND
                  listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}}
                patch:
                  operation: INSERT_BEFORE
                  value:
                    name: envoy.filters.http.local_ratelimit
                    typed_config:
                      "@type": type.googleapis.com/udpa.type.v1.TypedStruct
                      type_url: type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
                      value:
                        stat_prefix: http_local_rate_limiter
                        token_bucket: {max_tokens: 3, tokens_per_fill: 3, fill_interval: 300s}
                        filter_enabled: {runtime_key: local_rate_limit_enabled, default_value: {numerator: 100, denominator: HUNDRED}}
                        filter_enforced: {runtime_key: local_rate_limit_enforced, default_value: {numerator: 100, denominator: HUNDRED}}
                        response_headers_to_add:
                        - {append_action: APPEND_IF_EXISTS_OR_ADD, header: {key: x-local-rate-limit, value: "true"}}
            """

        @Test(arguments: Plane.allCases) func filtersBeforeTheRouter(_ plane: Plane) async throws {
            let caller = try await Self.caller(plane)
            try await eventually("the added filters are in force", within: 60) {
                try await caller.get("http://echo:9080/").headers["x-inbound"] == "yes" ? true : nil
            }
            #expect(try await caller.get("http://echo:9080/").headers["x-extension"] == "yes")
            var last: Answer?
            try await eventually("the limit is in force", within: 60) {
                last = try await caller.get("http://limited:9080/")
                return last?.status == 429 ? true : nil
            }
            #expect(last?.headers["x-local-rate-limit"] == "true", "\(String(describing: last))")
        }

        private static let script = """
            apiVersion: networking.istio.io/v1alpha3
            kind: EnvoyFilter
            metadata: {name: script, namespace: $NS}
            spec:
              priority: 1
              workloadSelector: {labels: {app: scripted}}
              configPatches:
              - applyTo: HTTP_FILTER
                match:
                  context: SIDECAR_INBOUND
                  listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}}
                patch:
                  operation: INSERT_BEFORE
                  value:
                    name: envoy.filters.http.lua
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
                      default_source_code:
                        inline_string: |
                          function envoy_on_response(handle) handle:headers():add("x-script", "yes") end
            """

        /// weft-proxy runs no scripts: it says so, and serves on without it. Envoy runs them.
        @Test func scriptsRunInEnvoyAndAreToldElsewhere() async throws {
            let envoy = try await Self.caller(.envoy)
            try await eventually("Envoy runs the script", within: 60) {
                try await envoy.get("http://scripted:9080/").headers["x-script"] == "yes" ? true : nil
            }
            let weft = try await Self.caller(.weft)
            try await eventually("the status names the extension", within: 60) {
                let status = try await weft.mesh.kubectl(
                    "get", "envoyfilter", "-n", weft.namespace, "script", "-o", "jsonpath={.status}"
                ).checked().out
                return status.contains("the patch is not applied") && status.contains("lua.v3.Lua") ? true : nil
            }
            let answer = try await weft.get("http://scripted:9080/")
            #expect(answer.status == 200 && answer.headers["x-script"] == nil, "\(answer)")
            let told = try await weft.mesh.apply(
                Self.script.replacingOccurrences(of: "$NS", with: weft.namespace)
                    .replacingOccurrences(of: "priority: 1", with: "priority: 2"))
            #expect(told.err.contains("lua.v3.Lua"), "\(told)")
        }

        // MARK: - Gateways

        private static let gateway = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: patched, namespace: istio-system}
            spec:
              selector: {istio: ingressgateway}
              servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [patched.example]}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: patched, namespace: patched-weft}
            spec:
              hosts: [patched.example]
              gateways: [istio-system/patched]
              http: [{route: [{destination: {host: echo}}]}]
            ---
            apiVersion: networking.istio.io/v1alpha3
            kind: EnvoyFilter
            metadata: {name: patched, namespace: istio-system}
            spec:
              priority: 1
              workloadSelector: {labels: {istio: ingressgateway}}
              configPatches:
              - applyTo: VIRTUAL_HOST
                match:
                  context: GATEWAY
                  routeConfiguration: {portNumber: 80, vhost: {name: "patched.example:80"}}
                patch:
                  operation: MERGE
                  value: {response_headers_to_add: [{header: {key: x-edge-host, value: "yes"}}]}
              - applyTo: HTTP_FILTER
                match:
                  context: GATEWAY
                  listener:
                    filterChain:
                      filter:
                        name: envoy.filters.network.http_connection_manager
                        subFilter: {name: envoy.filters.http.router}
                patch:
                  operation: INSERT_BEFORE
                  value:
                    name: mark
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
                      mutations: {response_mutations: [{append: {header: {key: x-edge-filter, value: "yes"}}}]}
            """

        @Test func patchesAtTheGateway() async throws {
            let mesh = try await Self.caller(.weft).mesh
            try await mesh.apply(Self.gateway)
            func get(_ host: String) async throws -> Answer {
                Answer(
                    try await command(
                        [
                            "curl", "-s", "-i", "--max-time", "10", "-H", "Host: \(host)",
                            "http://127.0.0.1:\(mesh.httpPort)/",
                        ]
                    ).out)
            }
            try await eventually("the gateway's host is patched", within: 60) {
                try await get("patched.example").headers["x-edge-host"] == "yes" ? true : nil
            }
            let own = try await get("patched.example")
            #expect(own.status == 200 && own.headers["x-edge-filter"] == "yes", "\(own)")
            #expect(try await get("elsewhere.example").headers["x-edge-host"] == nil)
            try await mesh.kubectl(
                "delete", "envoyfilter,gateways.networking.istio.io", "-n", "istio-system", "patched"
            ).checked()
            try await mesh.kubectl("delete", "virtualservice", "-n", "patched-weft", "patched").checked()
        }
    }
}
