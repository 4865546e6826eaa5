import Testing
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTranslate

private let web = "outbound|80||web.dev.svc.cluster.local"
private let foreign = "outbound|80||web.other.svc.cluster.local"

/// Istio's semantics at the edges, for HTTP in the mesh.
struct TrafficEdgeTests {
    @Test func theOldestOfTwoRulesForAHostWinsInTheMeshAndTheyAreNotMixed() throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "a", created: "2026-02-02T00:00:00Z",
                "{hosts: [web], http: [{match: [{uri: {prefix: /new}}], directResponse: {status: 201}}]}")
                + istio(
                    "VirtualService", "z", created: "2026-01-01T00:00:00Z",
                    "{hosts: [web], http: [{match: [{uri: {prefix: /old}}], directResponse: {status: 202}}]}"))
        #expect(mesh.request("web", "/old") == "status 202")
        #expect(mesh.request("web", "/new") == "status 404")
    }

    @Test func rulesOfOneAgeGoByName() throws {
        let mesh = try TrafficMesh(
            istio("VirtualService", "b", "{hosts: [web], http: [{directResponse: {status: 202}}]}")
                + istio("VirtualService", "a", "{hosts: [web], http: [{directResponse: {status: 201}}]}"))
        #expect(mesh.request("web") == "status 201")
    }

    @Test(arguments: [
        ("web", "status 201"), ("web.other", "status 202"), ("two", "status 203"), ("a.b.example.com", "status 204"),
        ("x.a.b.example.com", "status 205"), ("other.example.com", "PassthroughCluster"),
    ])
    func theMostSpecificHostWins(host: String, expected: String) throws {
        func rule(_ name: String, _ host: String, _ status: Int) -> String {
            istio("VirtualService", name, "{hosts: ['\(host)'], http: [{directResponse: {status: \(status)}}]}")
        }
        let mesh = try TrafficMesh(
            rule("a", "*.dev.svc.cluster.local", 203) + rule("b", "*.svc.cluster.local", 202) + rule("c", "web", 201)
                + rule("d", "*.b.example.com", 204) + rule("e", "*.a.b.example.com", 205))
        #expect(mesh.request(host) == expected)
    }

    @Test func aRuleWithoutARouteForThisProxyLeavesTheServiceAsItIs() throws {
        let rule = istio(
            "VirtualService", "v",
            "{hosts: [web, two], http: [{match: [{port: 8080}], directResponse: {status: 201}}, {match: [{sourceLabels: {app: me}}], directResponse: {status: 202}}]}"
        )
        let mesh = try TrafficMesh(rule)
        #expect(mesh.request("web") == web)
        #expect(mesh.request("two", table: "8080") == "status 201")
        #expect(try TrafficMesh(rule, labels: ["app": "me"]).request("web") == "status 202")
    }

    @Test func aMatchThatNamesGatewaysAsksNothingOfTheCaller() throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "v",
                "{hosts: [web], gateways: [mesh, g], http: [{match: [{gateways: [g]}], directResponse: {status: 201}}, {match: [{gateways: [mesh], sourceLabels: {app: nobody}}], directResponse: {status: 202}}]}"
            ))
        #expect(mesh.request("web") == "status 202")
    }

    @Test(
        arguments: [
            ("/", [("x-a", "1")], "status 201"), ("/", [("x-a", "1"), ("x-no", "")], web), ("/", [], web),
            ("/Case/x", [], "status 202"), ("/exact", [], "status 203"), ("/exact/", [], web),
            ("/pre", [], "status 204"), ("/prefixed", [], "status 204"), ("/v1/x", [], "status 205"), ("/v1", [], web),
            ("/q?a=1", [], "status 206"), ("/q?a=2", [], web), ("/q?a=10", [], web), ("/r?b=12", [], "status 207"),
            ("/r?b=x", [], web),
        ] as [(String, [(String, String)], String)])
    func matchesAsItSays(path: String, headers: [(String, String)], expected: String) throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "v",
                """
                {hosts: [web], http: [
                  {match: [{headers: {X-A: {exact: "1"}}, withoutHeaders: {x-no: {}}}], directResponse: {status: 201}},
                  {match: [{uri: {prefix: /cASE}, ignoreUriCase: true}], directResponse: {status: 202}},
                  {match: [{uri: {exact: /exact}}], directResponse: {status: 203}},
                  {match: [{uri: {prefix: /pre}}], directResponse: {status: 204}},
                  {match: [{uri: {regex: "/v[0-9]/.*"}}], directResponse: {status: 205}},
                  {match: [{uri: {exact: /q}, queryParams: {a: {exact: "1"}}}], directResponse: {status: 206}},
                  {match: [{uri: {exact: /r}, queryParams: {b: {regex: "[0-9]+"}}}], directResponse: {status: 207}},
                  {route: [{destination: {host: web}}]}]}
                """))
        #expect(mesh.request("web", path, headers) == expected)
    }

    @Test func methodSchemeAndAuthority() throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "v",
                "{hosts: [web], http: [{match: [{method: {exact: POST}}], directResponse: {status: 201}}, {match: [{authority: {exact: web.dev}}], directResponse: {status: 202}}, {route: [{destination: {host: web}}]}]}"
            ))
        #expect(mesh.request("web", method: .post) == "status 201")
        #expect(mesh.request("web.dev") == "status 202")
        #expect(mesh.request("web") == web)
    }

    @Test func weightsNeedNotSumToAHundredAndZeroGetsNothing() throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "v",
                "{hosts: [web], http: [{route: [{destination: {host: web}, weight: 1}, {destination: {host: web.other.svc.cluster.local}, weight: 3}, {destination: {host: nowhere}, weight: 0}]}]}"
            ))
        let picked = (0..<400).map { mesh.request("web", random: UInt64($0)) }
        #expect(picked.count { $0 == web } == 100)
        #expect(picked.count { $0 == foreign } == 300)
        #expect(mesh.reason("outbound|80||nowhere.dev.svc.cluster.local") == nil)
    }

    @Test func oneDestinationNeedsNoWeight() throws {
        let mesh = try TrafficMesh(
            istio("VirtualService", "v", "{hosts: [web], http: [{route: [{destination: {host: web}, weight: 0}]}]}"))
        #expect(mesh.request("web") == web)
    }

    @Test func aMissingSubsetOrServiceAnswers503WithAReason() throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "v",
                "{hosts: [web], http: [{match: [{uri: {prefix: /s}}], route: [{destination: {host: web, subset: v9}}]}, {route: [{destination: {host: nowhere}}]}]}"
            ) + istio("DestinationRule", "d", "{host: web, subsets: [{name: v1, labels: {version: v1}}]}"))
        let subset = mesh.request("web", "/s")
        #expect(subset == "outbound|80|v9|web.dev.svc.cluster.local")
        #expect(mesh.reason(subset)?.contains("subset v9") == true)
        #expect(mesh.reason(mesh.request("web", "/x"))?.contains("not a known service") == true)
    }

    @Test func theDestinationsPortIsTheOnlyOneElseTheListeners() throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "v",
                "{hosts: [two], http: [{match: [{uri: {prefix: /only}}], route: [{destination: {host: web}}]}, {match: [{uri: {prefix: /named}}], route: [{destination: {host: two, port: {number: 80}}}]}, {route: [{destination: {host: two}}]}]}"
            ))
        #expect(mesh.request("two", "/only", table: "8080") == web)
        #expect(mesh.request("two", "/named", table: "8080") == "outbound|80||two.dev.svc.cluster.local")
        #expect(mesh.request("two", "/x", table: "8080") == "outbound|8080||two.dev.svc.cluster.local")
        #expect(mesh.request("two", "/x") == "outbound|80||two.dev.svc.cluster.local")
    }

    @Test func rulesOfTheOwnNamespaceComeBeforePublicOnes() throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "a", created: "2020-01-01T00:00:00Z",
                "{hosts: [web], http: [{directResponse: {status: 201}}]}")
                + istio(
                    "VirtualService", "b", "{hosts: [web], exportTo: ['.'], http: [{directResponse: {status: 202}}]}")
                + istio(
                    "VirtualService", "c", namespace: "other",
                    "{hosts: [two.dev.svc.cluster.local], exportTo: [elsewhere], http: [{directResponse: {status: 203}}]}"
                )
                + istio(
                    "VirtualService", "d", "{hosts: [two], exportTo: ['~'], http: [{directResponse: {status: 204}}]}"))
        #expect(mesh.request("web") == "status 202")
        #expect(mesh.request("two") == "outbound|80||two.dev.svc.cluster.local")
    }

    /// Two rules whose hosts differ in case alone are two rules for one host: the older one has it, and no table has a name
    /// twice, which a proxy would refuse together with all other hosts of the table.
    @Test func hostsThatDifferInCaseAreOneHost() throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "a", created: "2020-01-01T00:00:00Z",
                "{hosts: [Zed.example.com], http: [{directResponse: {status: 201}}]}")
                + istio(
                    "VirtualService", "b", created: "2021-01-01T00:00:00Z",
                    "{hosts: [zed.example.com], http: [{directResponse: {status: 202}}]}")
                + istio("VirtualService", "c", "{hosts: [WEB], http: [{directResponse: {status: 203}}]}")
                + istio(
                    "ServiceEntry", "d",
                    "{hosts: [One.example.org, one.example.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 192.0.2.1}]}"
                ))
        #expect(mesh.request("zed.example.com") == "status 201")
        #expect(mesh.request("web") == "status 203")
        #expect(mesh.request("one.example.org") == "outbound|80||one.example.org")
        for table in mesh.configuration.routes.values {
            let domains = table.virtualHosts.flatMap(\.domains).map { $0.lowercased() }
            #expect(domains.count == Set(domains).count, "\(table.name): \(domains)")
        }
    }

    @Test func retriesAreTwoUnlessTheRuleSaysElse() throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "v",
                "{hosts: [web], http: [{match: [{uri: {prefix: /off}}], retries: {attempts: 0}, route: [{destination: {host: web}}]}, {match: [{uri: {prefix: /own}}], retries: {attempts: 7, retryOn: '5xx,409', perTryTimeout: 2s, backoff: 1s}, route: [{destination: {host: web}}]}, {route: [{destination: {host: web}}]}]}"
            ))
        func policy(_ path: String) -> RetryPolicy? {
            guard case .forward(let action)? = mesh.decide("web", path)?.route.action else { return nil }
            return action.retryPolicy
        }
        #expect(policy("/off") == nil)
        #expect(policy("/own")?.numRetries == 7)
        #expect(policy("/own")?.retriableStatusCodes == [409])
        #expect(policy("/own")?.retryOn == ["5xx", "retriable-status-codes"])
        #expect(policy("/own")?.perTryTimeoutMilliseconds == 2_000)
        #expect(policy("/x")?.numRetries == 2)
        #expect(policy("/x")?.retryOn.contains("connect-failure") == true)
        // An answer of the application is never asked for again unless somebody says so.
        #expect(policy("/x")?.retriableStatusCodes == [])
    }

    @Test func faultsWithoutAPercentageHitNobody() throws {
        func fault(_ text: String) throws -> Fault? {
            let mesh = try TrafficMesh(
                istio(
                    "VirtualService", "v",
                    "{hosts: [web], http: [{fault: {\(text)}, route: [{destination: {host: web}}]}]}"))
            guard case .fault(let fault)? = mesh.decide("web")?.route.perFilter["envoy.filters.http.fault"] else {
                return nil
            }
            return fault
        }
        let silent = try fault("delay: {fixedDelay: 1s}, abort: {httpStatus: 500}")
        #expect(silent?.delayPercentage == .zero && silent?.abortPercentage == .zero)
        let old = try fault("delay: {fixedDelay: 1s, percent: 7}, abort: {httpStatus: 500, percentage: {value: 3}}")
        #expect(old?.delayPercentage == FractionalPercent(percent: 7))
        #expect(old?.abortPercentage == FractionalPercent(percent: 3))
    }

    /// Headers of one destination come after the route's, and its authority counts where the route has none.
    @Test func headersOfOneDestinationAreTheRoutes() throws {
        func route(_ destinations: String, _ headers: String) throws -> Route? {
            try TrafficMesh(
                istio(
                    "VirtualService", "v",
                    "{hosts: [web], http: [{route: [\(destinations)], headers: {request: {\(headers)}}}]}")
            ).decide("web")?.route
        }
        let own =
            "{destination: {host: web}, headers: {request: {set: {x-a: inner, Host: inner.example}, remove: [x-b]}}}"
        let one = try #require(try route(own, "set: {x-a: outer, ':authority': outer.example}"))
        #expect(one.requestHeaders.append.map(\.value) == ["outer", "inner"])
        #expect(one.requestHeaders.remove == ["x-b"])
        func action(_ route: Route?) -> RouteAction? {
            if case .forward(let action) = route?.action { action } else { nil }
        }
        #expect(action(one)?.hostRewrite == .literal("outer.example"))
        #expect(action(one)?.cluster == .cluster(web))
        #expect(action(try route(own, "set: {x-c: d}"))?.hostRewrite == .literal("inner.example"))
    }

    /// A client that keeps to a server tries it again; one that shares requests among several asks another.
    @Test func onlyOneDestinationKeepsToItsHost() throws {
        let hashed = istio(
            "DestinationRule", "d", "{host: web, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x}}}}")
        func avoids(_ destinations: String) throws -> Bool? {
            let mesh = try TrafficMesh(
                hashed + istio("VirtualService", "v", "{hosts: [web], http: [{route: [\(destinations)]}]}"))
            guard case .forward(let action)? = mesh.decide("web")?.route.action else { return nil }
            return action.retryPolicy?.avoidPreviousHosts
        }
        #expect(try avoids("{destination: {host: web}}") == false)
        #expect(try avoids("{destination: {host: web}, weight: 1}, {destination: {host: two}, weight: 1}") == true)
    }

    @Test func aDelegateMatchesOnlyWithinItsRoot() throws {
        let root = """
            {hosts: [web], http: [
              {match: [{uri: {prefix: /a}, headers: {x-t: {exact: "1"}}}], delegate: {name: d}},
              {route: [{destination: {host: web}}]}]}
            """
        let delegate = """
            {http: [
              {match: [{uri: {prefix: /a/b}}], directResponse: {status: 201}},
              {match: [{uri: {prefix: /c}}], directResponse: {status: 202}},
              {match: [{headers: {x-t: {exact: "2"}}}], directResponse: {status: 203}},
              {directResponse: {status: 204}}]}
            """
        let mesh = try TrafficMesh(
            istio("VirtualService", "root", root) + istio("VirtualService", "d", delegate))
        #expect(mesh.request("web", "/a/b", [("x-t", "1")]) == "status 201")
        #expect(mesh.request("web", "/a/x", [("x-t", "1")]) == "status 204")
        #expect(mesh.request("web", "/a/b") == web)
        #expect(mesh.request("web", "/c", [("x-t", "1")]) == web)
        #expect(mesh.request("web", "/a", [("x-t", "2")]) == web)
        #expect(mesh.diagnostics.map(\.path) == ["spec.http[1].match", "spec.http[2].match"])
        #expect(mesh.decide("web", "/a/b", [("x-t", "1")])?.route.provenance?.resource.name == "d")
    }

    @Test func aDelegateAloneRoutesNothing() throws {
        let mesh = try TrafficMesh(istio("VirtualService", "d", "{http: [{directResponse: {status: 201}}]}"))
        #expect(mesh.request("web") == web)
        #expect(mesh.diagnostics.isEmpty)
    }
}

/// The same for connections.
struct ConnectionEdgeTests {
    private func cluster(_ host: String, _ port: Int) -> ClusterSelector {
        .cluster("outbound|\(port)||\(host).dev.svc.cluster.local")
    }

    @Test func tcpRoutesGoBySubnetAndSource() throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "v",
                "{hosts: [db], tcp: [{match: [{destinationSubnets: [10.96.0.6]}], route: [{destination: {host: web}}]}, {match: [{sourceSubnet: 10.9.0.0/16}], route: [{destination: {host: two, port: {number: 80}}}]}]}"
            ))
        #expect(mesh.connection("10.96.0.6_5432") == cluster("web", 80))
        #expect(mesh.connection("10.96.0.6_5432", to: "10.96.9.9") == cluster("db", 5432))
        #expect(mesh.connection("10.96.0.6_5432", to: "10.96.9.9", from: "10.9.1.1") == cluster("two", 80))
    }

    @Test func tcpRoutesOfOtherPortsAndCallersDoNotApply() throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "v",
                "{hosts: [db], tcp: [{match: [{port: 1}, {sourceLabels: {app: x}}, {sourceNamespace: other}, {gateways: [g]}], route: [{destination: {host: web}}]}]}"
            ))
        #expect(mesh.connection("10.96.0.6_5432") == cluster("db", 5432))
    }

    @Test(arguments: [
        ("a.example.com", "web", 80), ("x.b.example.com", "two", 80), ("other.example.com", "db", 5433),
    ])
    func tlsRoutesGoByServerName(name: String, host: String, port: Int) throws {
        let mesh = try TrafficMesh(
            istio(
                "VirtualService", "v",
                "{hosts: [db], tls: [{match: [{sniHosts: [a.example.com]}], route: [{destination: {host: web}}]}, {match: [{sniHosts: ['*.b.example.com', a.example.com]}], route: [{destination: {host: two, port: {number: 80}}}]}]}"
            ))
        #expect(mesh.connection("10.96.0.6_5433", serverName: name) == cluster(host, port))
    }
}
