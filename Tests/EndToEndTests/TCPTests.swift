import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// TCP through two sidecars: weighted routes, servers that speak first, and ports whose protocol nobody declared.
    @Suite(.serialized) struct TCPTests {
        private static let namespace = "tcproutes"
        private static let caller = Task {
            let mesh = try await LocalMesh.shared()
            func sample(_ app: String, _ version: String, _ arguments: String...) -> String {
                Manifests.sample(
                    name: "\(app)-\(version)", app: app, version: version, namespace: namespace, arguments: arguments)
            }
            try await mesh.start(
                namespace: namespace,
                [
                    sample("echo", "v1", "tcp-echo", "--port", "9080", "--prefix", "one "),
                    sample("echo", "v2", "tcp-echo", "--port", "9080", "--prefix", "two "),
                    sample("greeter", "v1", "greeter", "--port", "9080", "--banner", "220 welcome"),
                    sample("web", "v1", "echo", "--port", "9080"), ports, policy,
                    Manifests.client(namespace: namespace),
                ])
            try await mesh.start(namespace: "tcpoutside", injected: false, [Manifests.client(namespace: "tcpoutside")])
            let caller = Caller(mesh: mesh, namespace: namespace)
            try await eventually("the workloads of undeclared ports are known") {
                try await caller.codes(["http://web-unnamed:5000/"]) == ["200"] ? true : nil
            }
            return caller
        }

        /// `tcp-…` is declared; a port without a name is told from its first bytes.
        private static let ports = ["echo", "greeter", "web"].map { app in
            """
            apiVersion: v1
            kind: Service
            metadata: {name: \(app), namespace: tcproutes}
            spec:
              selector: {app: \(app)}
              ports: [{name: tcp-\(app), port: 4000, targetPort: 9080}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: \(app)-unnamed, namespace: tcproutes}
            spec:
              selector: {app: \(app)}
              ports: [{port: 5000, targetPort: 9080}]
            """
        }.joined(separator: "\n---\n")

        private static let policy = """
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: default, namespace: tcproutes}
            spec: {mtls: {mode: STRICT}}
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: echo, namespace: tcproutes}
            spec:
              host: echo
              subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: echo, namespace: tcproutes}
            spec:
              hosts: [echo]
              tcp:
              - match: [{port: 4000, sourceLabels: {app: nobody}}]
                route: [{destination: {host: greeter}}]
              - match: [{port: 4000}]
                route:
                - {destination: {host: echo, subset: v1}, weight: 80}
                - {destination: {host: echo, subset: v2}, weight: 20}
            """

        /// Opens a connection, sends a line, prints the first line that comes back.
        private func say(_ text: String, to address: String, times: Int = 1) -> String {
            """
            for i in $(seq \(times)); do
              exec 3<>/dev/tcp/\(address) || continue
              printf '\(text)\\n' >&3
              IFS= read -r -t 20 line <&3 && echo "$line"
              exec 3>&-
            done
            """
        }

        /// Opens a connection and sends nothing until the server has spoken.
        private func listen(to address: String) -> String {
            """
            exec 3<>/dev/tcp/\(address)
            IFS= read -r -t 20 banner <&3 && echo "$banner"
            printf 'hello\\n' >&3
            IFS= read -r -t 20 reply <&3 && echo "$reply"
            """
        }

        @Test func weightsSplitConnections() async throws {
            let caller = try await Self.caller.value
            try await eventually("both subsets answer") {
                let lines = try await caller.shell(say("hi", to: "echo/4000", times: 20))
                return lines.contains("one hi") && lines.contains("two hi") ? true : nil
            }
            let lines = try await caller.shell(say("hi", to: "echo/4000", times: 300)).split(separator: "\n")
            #expect(lines.count == 300)
            #expect(lines.allSatisfy { $0 == "one hi" || $0 == "two hi" }, "\(lines)")
            // Five standard deviations around 60 of 300.
            #expect((25...95).contains(lines.count { $0 == "two hi" }), "\(lines)")
        }

        @Test func serverSpeaksFirst() async throws {
            let caller = try await Self.caller.value
            try await eventually("the banner arrives over mutual TLS") {
                try await caller.shell(listen(to: "greeter/4000")) == "220 welcome\nok\n" ? true : nil
            }
            // Nobody waits for the client's first bytes: the listener of a declared port has no inspector.
            let address = try await caller.mesh.kubectl(
                "get", "service", "greeter", "-n", "tcproutes", "-o", "jsonpath={.spec.clusterIP}"
            ).checked().out
            let json = try await caller.mesh.istioctl(
                "pc", "listeners", "deploy/client.tcproutes", "--port", "4000", "-o", "json"
            ).checked().out
            let listeners = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
            let own = try #require(listeners.first { $0["name"] as? String == "\(address)_4000" }, "\(json)")
            #expect(own["listenerFilters"] == nil && own["listener_filters"] == nil, "\(own)")
            // On a port that nobody declared it works too, after the time that protocol detection takes.
            try await eventually("the banner arrives on an undeclared port") {
                try await caller.shell(listen(to: "greeter-unnamed/5000")) == "220 welcome\nok\n" ? true : nil
            }
        }

        @Test func undeclaredPortsCarryWhatComes() async throws {
            let caller = try await Self.caller.value
            try await eventually("bytes pass") {
                let text = try await caller.shell(say("plain bytes", to: "echo-unnamed/5000"))
                return text == "one plain bytes\n" || text == "two plain bytes\n" ? true : nil
            }
            let web = try await caller.get("http://web-unnamed:5000/sniffed")
            #expect(web.echoed("url") == "/sniffed", "\(web)")
            // Handled as HTTP, not as bytes: the sidecars add their headers.
            #expect(web.headers["x-envoy-upstream-service-time"] != nil, "\(web)")
            #expect(web.echoed("headers", "x-forwarded-client-cert")?.contains("/ns/tcproutes/sa/default") == true)
        }

        @Test func strictHoldsForTCP() async throws {
            let caller = try await Self.caller.value
            let outside = Caller(mesh: caller.mesh, namespace: "tcpoutside")
            #expect(try await outside.shell(say("hi", to: "echo.tcproutes/4000")) == "")
            #expect(try await caller.shell(say("hi", to: "echo/4000")).hasSuffix(" hi\n"))
        }
    }
}
