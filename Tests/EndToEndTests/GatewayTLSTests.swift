import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Gateway: the TLS modes beyond SIMPLE, with credentials from Secrets.
    @Suite(.serialized) struct GatewayTLSTests {
        private static let mesh = Task {
            let mesh = try await LocalMesh.shared()
            let folder = mesh.home + "/gates"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for name in ["server", "client", "stranger"] { try await certificate(folder, name) }
            for (name, files) in [
                ("gates-cert", ["tls.crt=server.crt", "tls.key=server.key", "ca.crt=client.crt"]),
                ("gates-pair", ["tls.crt=server.crt", "tls.key=server.key"]),
                ("gates-pair-cacert", ["ca.crt=client.crt"]),
            ] {
                try await secret(
                    mesh, name, "istio-system", files.map { $0.replacingOccurrences(of: "=", with: "=\(folder)/") })
            }
            try await mesh.apply(
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: gates, labels: {istio-injection: enabled}}")
            try await secret(
                mesh, "server", "gates", ["tls.crt=\(folder)/server.crt", "tls.key=\(folder)/server.key"])
            try await mesh.start(
                namespace: "gates",
                [
                    Manifests.sample(
                        name: "echo", app: "echo", version: "v1", namespace: "gates",
                        arguments: ["echo", "--port", "9080"]),
                    Manifests.service(name: "echo", port: 9080, namespace: "gates"), secure, gateway,
                ])
            return mesh
        }

        /// A certificate of its own authority, good for every host of the suite.
        private static func certificate(_ folder: String, _ name: String) async throws {
            let hosts = ["mutual", "pair", "optional", "through"].map { "DNS:\($0).gates.example" }
            try await command([
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days",
                "2", "-subj", "/CN=\(name)", "-addext", "subjectAltName=" + hosts.joined(separator: ","), "-keyout",
                "\(folder)/\(name).key", "-out", "\(folder)/\(name).crt",
            ]).checked()
        }

        private static func secret(_ mesh: LocalMesh, _ name: String, _ namespace: String, _ files: [String])
            async throws
        {
            let manifest = try await mesh.kubectl(
                ["create", "secret", "generic", name, "-n", namespace, "--dry-run=client", "-o", "yaml"]
                    + files.map { "--from-file=\($0)" }
            ).checked().out
            try await mesh.apply(manifest)
        }

        /// A server that ends TLS itself.
        private static let secure = """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: secure, namespace: gates}
            spec:
              selector: {matchLabels: {app: secure}}
              template:
                metadata: {labels: {app: secure}}
                spec:
                  volumes: [{name: pair, secret: {secretName: server}}]
                  containers:
                  - name: app
                    image: local/openssl
                    command: [openssl, s_server, -accept, "9443", -cert, /pair/tls.crt, -key, /pair/tls.key, -www, -quiet]
                    volumeMounts: [{name: pair, mountPath: /pair}]
                    ports: [{containerPort: 9443}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: secure, namespace: gates}
            spec: {selector: {app: secure}, ports: [{name: tls, port: 9443}]}
            """

        private static let gateway = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: gates, namespace: gates}
            spec:
              selector: {istio: ingressgateway}
              servers:
              - port: {number: 443, name: https-mutual, protocol: HTTPS}
                hosts: [mutual.gates.example]
                tls: {mode: MUTUAL, credentialName: gates-cert}
              - port: {number: 443, name: https-pair, protocol: HTTPS}
                hosts: [pair.gates.example]
                tls: {mode: MUTUAL, credentialName: gates-pair}
              - port: {number: 443, name: https-optional, protocol: HTTPS}
                hosts: [optional.gates.example]
                tls: {mode: OPTIONAL_MUTUAL, credentialName: gates-cert}
              - port: {number: 443, name: tls-through, protocol: TLS}
                hosts: [through.gates.example]
                tls: {mode: PASSTHROUGH}
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: gates, namespace: gates}
            spec:
              hosts: [mutual.gates.example, pair.gates.example, optional.gates.example]
              gateways: [gates]
              http: [{route: [{destination: {host: echo}}]}]
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: through, namespace: gates}
            spec:
              hosts: [through.gates.example]
              gateways: [gates]
              tls:
              - match: [{port: 443, sniHosts: [through.gates.example]}]
                route: [{destination: {host: secure, port: {number: 9443}}}]
            """

        /// - Parameter person: whose certificate is shown; `nil` shows none.
        private func ask(_ mesh: LocalMesh, _ host: String, as person: String? = nil) async throws -> Answer {
            let folder = mesh.home + "/gates"
            let pair = person.map { ["--cert", "\(folder)/\($0).crt", "--key", "\(folder)/\($0).key"] } ?? []
            let name = host + ".gates.example"
            return Answer(
                try await command(
                    [
                        "curl", "-s", "-i", "--max-time", "10", "--cacert", "\(folder)/server.crt", "--resolve",
                        "\(name):\(mesh.httpsPort):127.0.0.1",
                    ] + pair + ["https://\(name):\(mesh.httpsPort)/"]
                ).out)
        }

        /// Status by who asks; 0 where TLS fails.
        @Test(
            arguments: [
                ("mutual", [nil: 0, "client": 200, "stranger": 0]), ("pair", [nil: 0, "client": 200, "stranger": 0]),
                ("optional", [nil: 200, "client": 200, "stranger": 0]),
            ] as [(String, [String?: Int])])
        func aModeDecidesWhoseCertificateIsAskedFor(_ host: String, _ expected: [String?: Int]) async throws {
            let mesh = try await Self.mesh.value
            try await eventually("\(host) is served") {
                try await ask(mesh, host, as: "client").status == 200 ? true : nil
            }
            for (person, status) in expected {
                let answer = try await ask(mesh, host, as: person)
                #expect(answer.status == status, "\(host) asked by \(person ?? "nobody"): \(answer)")
            }
        }

        @Test func passthroughLeavesTLSToTheServer() async throws {
            let mesh = try await Self.mesh.value
            let answer = try await eventually("the server behind the gateway answers") {
                let answer = try await ask(mesh, "through")
                return answer.status == 200 ? answer : nil
            }
            // It is openssl's page of the session, which names what the server saw.
            #expect(answer.body.contains("s_server"), "\(answer)")
        }
    }
}
