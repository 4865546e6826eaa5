import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// AuthorizationPolicy: every kind of condition, DENY before ALLOW, and refusals that name the policy.
    @Suite(.serialized) struct AuthorizationTests {
        /// Who asks: `alice` and `bob` are in the policy's namespace, `guest` in another, `stranger` has no sidecar.
        private enum Who: String, CaseIterable { case alice, bob, guest, stranger }

        private static let callers = Task {
            let mesh = try await LocalMesh.shared()
            func person(_ who: Who, _ namespace: String) -> String {
                "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: \(who.rawValue), namespace: \(namespace)}\n---\n"
                    + Manifests.client(namespace: namespace, name: who.rawValue, serviceAccount: who.rawValue)
            }
            try await mesh.start(
                namespace: "authz",
                [
                    Manifests.sample(
                        name: "echo", app: "echo", version: "v1", namespace: "authz",
                        arguments: ["echo", "--port", "9080"]),
                    Manifests.service(name: "echo", port: 9080, namespace: "authz"),
                    Manifests.sample(
                        name: "bytes", app: "bytes", version: "v1", namespace: "authz",
                        arguments: ["tcp-echo", "--port", "9080"]),
                    Manifests.service(name: "bytes", port: 9080, portName: "tcp", namespace: "authz"),
                    person(.alice, "authz"), person(.bob, "authz"), policies,
                ])
            try await mesh.start(namespace: "authzguest", [person(.guest, "authzguest")])
            try await mesh.start(namespace: "authzplain", injected: false, [person(.stranger, "authzplain")])
            let callers: [Who: Caller] = [
                .alice: Caller(mesh: mesh, namespace: "authz", workload: "deploy/alice"),
                .bob: Caller(mesh: mesh, namespace: "authz", workload: "deploy/bob"),
                .guest: Caller(mesh: mesh, namespace: "authzguest", workload: "deploy/guest"),
                .stranger: Caller(mesh: mesh, namespace: "authzplain", workload: "deploy/stranger"),
            ]
            for caller in callers.values {
                try await eventually("the policies are live") {
                    let codes = try await caller.codes(["\(base)/nothing", "\(base)/everyone"])
                    return codes == ["403", "200"] ? true : nil
                }
            }
            return callers
        }

        private static let base = "http://echo.authz:9080"

        private static let policies = """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: allow-some, namespace: authz}
            spec:
              selector: {matchLabels: {app: echo}}
              action: ALLOW
              rules:
              - to: [{operation: {paths: [/everyone, /deny*]}}]
              - from: [{source: {principals: [cluster.local/ns/authz/sa/alice]}}]
                to: [{operation: {paths: [/principal]}}]
              - from: [{source: {notPrincipals: [cluster.local/ns/authz/sa/alice]}}]
                to: [{operation: {paths: [/not-principal]}}]
              - from: [{source: {principals: ["*"]}}]
                to: [{operation: {paths: [/any-principal]}}]
              - from: [{source: {principals: ["*/sa/alice", "cluster.local/ns/authzguest/*"]}}]
                to: [{operation: {paths: [/wild-principal]}}]
              - from: [{source: {namespaces: [authzguest]}}]
                to: [{operation: {paths: [/namespace]}}]
              - from: [{source: {notNamespaces: [authzguest]}}]
                to: [{operation: {paths: [/not-namespace]}}]
              - from: [{source: {namespaces: [authz], notPrincipals: [cluster.local/ns/authz/sa/bob]}}]
                to: [{operation: {paths: [/but-bob]}}]
              - from: [{source: {ipBlocks: [10.244.0.0/16]}}]
                to: [{operation: {paths: [/pods]}}]
              - from: [{source: {ipBlocks: [192.0.2.0/24, 192.0.2.7]}}]
                to: [{operation: {paths: [/elsewhere]}}]
              - from: [{source: {notIpBlocks: [10.244.0.0/16]}}]
                to: [{operation: {paths: [/not-pods]}}]
              - to: [{operation: {methods: [POST, PUT], paths: [/method]}}]
              - to: [{operation: {notMethods: [DELETE], paths: [/not-method]}}]
              - to: [{operation: {paths: [/pre/*, "*.html", /tree*], notPaths: [/tree/secret*]}}]
              - to: [{operation: {hosts: ["echo.authz.svc.cluster.local:*"], paths: [/host]}}]
              - to: [{operation: {notHosts: ["*.local:9080"], paths: [/not-host]}}]
              - to: [{operation: {ports: ["9080"], paths: [/port]}}]
              - to: [{operation: {ports: ["9999"], paths: [/other-port]}}]
              - to: [{operation: {notPorts: ["9080"], paths: [/not-port]}}]
              - to: [{operation: {paths: [/when-header]}}]
                when: [{key: "request.headers[x-token]", values: [abc*]}]
              - to: [{operation: {paths: [/when-not-header]}}]
                when: [{key: "request.headers[x-token]", notValues: [abc]}]
              - to: [{operation: {paths: [/when-namespace]}}]
                when: [{key: source.namespace, values: [authzguest]}]
              - to: [{operation: {paths: [/when-both]}}]
                when:
                - {key: source.principal, values: [cluster.local/ns/authz/sa/alice]}
                - {key: source.ip, values: [10.244.0.0/16]}
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: deny-first, namespace: authz}
            spec:
              selector: {matchLabels: {app: echo}}
              action: DENY
              rules:
              - to: [{operation: {paths: [/deny/all]}}]
              - from: [{source: {notPrincipals: [cluster.local/ns/authz/sa/alice]}}]
                to: [{operation: {paths: [/deny/others]}}]
              - when: [{key: "request.headers[x-bad]", values: ["*"]}]
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: alice-only, namespace: authz}
            spec:
              selector: {matchLabels: {app: bytes}}
              action: ALLOW
              rules: [{from: [{source: {principals: [cluster.local/ns/authz/sa/alice]}}]}]
            """

        /// What curl is given after the base address, and who is served; everyone else gets 403.
        private static let table: [(request: String, served: Set<Who>)] = {
            let all = Set(Who.allCases)
            return [
                ("/principal", [.alice]), ("/not-principal", all.subtracting([.alice])),
                ("/any-principal", all.subtracting([.stranger])), ("/wild-principal", [.alice, .guest]),
                ("/namespace", [.guest]), ("/not-namespace", all.subtracting([.guest])), ("/but-bob", [.alice]),
                ("/pods", all), ("/elsewhere", []), ("/not-pods", []), ("/method", []), ("/method -X POST", all),
                ("/method -X PUT", all), ("/not-method", all), ("/not-method -X DELETE", []), ("/pre/x", all),
                ("/pre", []), ("/a/page.html", all), ("/a/page.htm", []), ("/tree/open", all), ("/tree/secrets", []),
                // What a policy is asked about is the path that the workload will see.
                ("/tree/../tree/secrets --path-as-is", []), ("/tree/%73ecrets --path-as-is", []), ("/host", []),
                ("/not-host", all), ("/port", all), ("/other-port", []), ("/not-port", []), ("/when-header", []),
                ("/when-header -H 'x-token: abcdef'", all), ("/when-header -H 'x-token: xabc'", []),
                ("/when-not-header -H 'x-token: other'", all), ("/when-not-header -H 'x-token: abc'", []),
                ("/when-namespace", [.guest]), ("/when-both", [.alice]), ("/deny/all", []),
                // No other spelling of what is denied gets by; what is not denied does.
                ("/deny/other", all), ("/deny/ALL", []), ("/deny/all?x=/everyone", []), ("/deny/%61ll", []),
                ("/deny/./all --path-as-is", []), ("/everyone/../deny/all --path-as-is", []),
                (#"/deny/x/..\;/all --path-as-is"#, []), (#"/deny/.\;/all --path-as-is"#, []),
                ("/deny/x/%2e%2e/all --path-as-is", []),
                ("/deny/others", [.alice]), ("/everyone -H 'x-bad: 1'", []), ("/everyone", all), ("/nowhere", []),
            ]
        }()

        @Test func everyConditionDecides() async throws {
            let callers = try await Self.callers.value
            for (who, caller) in callers {
                let codes = try await caller.codes(Self.table.map { Self.base + $0.request })
                #expect(codes.count == Self.table.count)
                for ((request, served), code) in zip(Self.table, codes) {
                    #expect(code == (served.contains(who) ? "200" : "403"), "\(who) asks for \(request)")
                }
                let full = "http://echo.authz.svc.cluster.local:9080"
                #expect(try await caller.codes([full + "/host", full + "/not-host"]) == ["200", "403"], "\(who)")
            }
        }

        @Test func refusalsNameThePolicy() async throws {
            let callers = try await Self.callers.value
            let alice = try #require(callers[.alice])
            let denied = try await alice.get("\(Self.base)/deny/all")
            #expect(denied.status == 403)
            #expect(denied.body == "RBAC: access denied", "\(denied)")
            #expect(denied.headers["x-weft-config"] == "AuthorizationPolicy/authz/deny-first", "\(denied)")
            #expect(
                denied.headers["x-weft-reason"]
                    == "rbac_access_denied_matched_policy[ns[authz]-policy[deny-first]-rule[0]]", "\(denied)")
            let unmatched = try await alice.get("\(Self.base)/nowhere")
            #expect(unmatched.status == 403)
            #expect(unmatched.body == "RBAC: access denied", "\(unmatched)")
            #expect(unmatched.headers["x-weft-config"] == "AuthorizationPolicy/authz/allow-some", "\(unmatched)")
            #expect(
                unmatched.headers["x-weft-reason"] == "rbac_access_denied_matched_policy[none]", "\(unmatched)")
            // Outside the mesh nobody is told how it is protected.
            let outside = try await #require(callers[.stranger]).get("\(Self.base)/deny/all")
            #expect(outside.status == 403)
            #expect(outside.headers.keys.allSatisfy { !$0.hasPrefix("x-weft") }, "\(outside)")
        }

        @Test func bytesAreProtectedToo() async throws {
            let callers = try await Self.callers.value
            let script = """
                exec 3<>/dev/tcp/bytes.authz/9080
                printf 'hi\\n' >&3
                IFS= read -r -t 20 line <&3 && echo "$line"
                """
            for (who, caller) in callers {
                try await eventually("\(who) is \(who == .alice ? "served" : "refused")") {
                    try await caller.shell(script) == (who == .alice ? "hi\n" : "") ? true : nil
                }
            }
        }
    }
}
