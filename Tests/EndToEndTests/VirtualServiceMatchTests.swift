import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// VirtualService, which rule takes a request: every condition of `http[].match`, alone and together.
    @Suite(.serialized) struct VirtualServiceMatchTests {
        private static let namespace = "vsmatch"
        private static let caller = Task {
            let mesh = try await LocalMesh.shared()
            try await mesh.start(
                namespace: namespace,
                [
                    Manifests.sample(
                        name: "echo", app: "echo", version: "v1", namespace: namespace,
                        arguments: ["echo", "--port", "9080"]),
                    Manifests.service(name: "echo", port: 9080, namespace: namespace),
                    Manifests.service(name: "narrow", app: "echo", port: 9080, namespace: namespace),
                    Manifests.client(namespace: namespace), rules,
                ])
            return Caller(mesh: mesh, namespace: namespace)
        }

        /// A rule that marks its answers with its name.
        private static func rule(_ name: String, _ match: String) -> String {
            """
              - name: \(name)
                match: [\(match)]
                headers: {response: {set: {x-rule: \(name)}}}
                route: [{destination: {host: echo}}]
            """
        }

        private static let rules: String = {
            let rules = [
                rule("exact", "{uri: {exact: /exact}}"), rule("prefix", "{uri: {prefix: /api/}}"),
                rule("regex", #"{uri: {regex: "/items/[0-9]+(/parts)?"}}"#),
                rule("anycase", "{uri: {exact: /Mixed}, ignoreUriCase: true}"),
                rule("method", "{method: {exact: DELETE}}"), rule("methods", "{method: {regex: PUT|PATCH}}"),
                rule("header", "{headers: {x-tier: {exact: gold}}}"),
                rule("header-prefix", "{headers: {X-Tier: {prefix: sil}}}"),
                rule("header-regex", #"{headers: {x-tier: {regex: "b.*e"}}}"#),
                rule("header-present", "{headers: {x-present: {}}}"),
                rule("without", "{uri: {exact: /without}, withoutHeaders: {x-skip: {exact: yes-please}}}"),
                rule("query", #"{queryParams: {debug: {exact: "1"}}}"#),
                rule("query-regex", #"{queryParams: {id: {regex: "[0-9]+"}}}"#),
                rule("authority", "{uri: {exact: /host}, authority: {prefix: echo.vsmatch.svc}}"),
                rule("both", "{uri: {prefix: /both}, method: {exact: POST}, headers: {x-a: {exact: b}}}"),
                rule("either", "{uri: {exact: /left}}, {uri: {exact: /right}}"),
                rule("strangers", "{sourceLabels: {app: nobody}, uri: {exact: /labels}}"),
                rule("friends", "{sourceLabels: {app: client}, uri: {exact: /labels}}"),
                rule("port", "{port: 9999, uri: {exact: /port}}"),
            ]
            return """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: echo, namespace: vsmatch}
                spec:
                  hosts: [echo]
                  http:
                \(rules.joined(separator: "\n"))
                  - headers: {response: {set: {x-rule: other}}}
                    route: [{destination: {host: echo}}]
                ---
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: narrow-rule, namespace: vsmatch}
                spec:
                  hosts: [narrow]
                  http:
                  - match: [{uri: {prefix: /only}}]
                    route: [{destination: {host: narrow}}]
                """
        }()

        /// curl's arguments, and the rule that must answer.
        private static let table: [(request: String, rule: String)] = {
            let base = "http://echo:9080"
            return [
                ("\(base)/exact", "exact"), ("'\(base)/exact?a=b'", "exact"), ("\(base)/exact/", "other"),
                ("\(base)/Exact", "other"), ("\(base)/api/v1/x", "prefix"), ("\(base)/api", "other"),
                ("\(base)/items/42", "regex"), ("\(base)/items/42/parts", "regex"), ("\(base)/items/42/x", "other"),
                ("\(base)/x/items/42", "other"), ("\(base)/mIXED", "anycase"), ("-X DELETE \(base)/", "method"),
                ("-X PUT \(base)/", "methods"), ("-X PATCH \(base)/", "methods"), ("-X POST \(base)/", "other"),
                ("-H 'x-tier: gold' \(base)/", "header"), ("-H 'X-TIER: gold' \(base)/", "header"),
                ("-H 'x-tier: golden' \(base)/", "other"), ("-H 'x-tier: silver' \(base)/", "header-prefix"),
                ("-H 'x-tier: bronze' \(base)/", "header-regex"), ("-H 'x-tier: a bronze' \(base)/", "other"),
                ("-H 'x-present: 1' \(base)/", "header-present"), ("\(base)/without", "without"),
                ("-H 'x-skip: yes-please' \(base)/without", "other"), ("-H 'x-skip: no' \(base)/without", "without"),
                ("'\(base)/?debug=1'", "query"), ("'\(base)/?a=b&debug=1'", "query"), ("'\(base)/?debug=12'", "other"),
                ("'\(base)/?id=77'", "query-regex"), ("'\(base)/?id=7x'", "other"), ("\(base)/host", "other"),
                ("http://echo.vsmatch.svc.cluster.local:9080/host", "authority"),
                ("-X POST -H 'x-a: b' \(base)/both/1", "both"), ("-X POST \(base)/both/1", "other"),
                ("-H 'x-a: b' \(base)/both/1", "other"), ("\(base)/left", "either"), ("\(base)/right", "either"),
                ("\(base)/labels", "friends"), ("\(base)/port", "other"),
                // The first rule that matches wins.
                ("-H 'x-tier: gold' \(base)/api/v1", "prefix"),
            ]
        }()

        @Test func everyConditionChoosesItsRule() async throws {
            let caller = try await Self.caller.value
            try await eventually("the rules are live") {
                let answer = try await caller.get("http://echo:9080/exact")
                return answer.status == 200 && answer.headers["x-rule"] == "exact" ? true : nil
            }
            let seen = try await caller.lines(Self.table.map(\.request), format: "%{http_code} %header{x-rule}")
            #expect(seen.count == Self.table.count)
            for ((request, rule), line) in zip(Self.table, seen) {
                #expect(line == "200 \(rule)", "curl \(request)")
            }
        }

        @Test func aRequestThatNoRuleTakesNamesTheObject() async throws {
            let caller = try await Self.caller.value
            try await eventually("the narrow rule is live") {
                try await caller.get("http://narrow:9080/other").status == 404 ? true : nil
            }
            #expect(try await caller.get("http://narrow:9080/only/this").status == 200)
            let refused = try await caller.get("http://narrow:9080/other")
            #expect(refused.headers["x-weft-reason"] == "route_not_found", "\(refused)")
            #expect(refused.headers["x-weft-config"] == "VirtualService/vsmatch/narrow-rule", "\(refused)")
            try await caller.sidecarLogged("\"GET /other HTTP/1.1\" 404 NR route_not_found")
        }
    }
}
