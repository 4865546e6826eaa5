import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Gateway: HTTPS with certificates from Secrets, several hosts on a port, redirects to HTTPS.
    @Suite(.serialized) struct GatewayTests {
        private static let namespace = "edge"
        private static let mesh = Task {
            let mesh = try await LocalMesh.shared()
            let folder = mesh.home + "/edge"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for name in ["one", "two"] { try await secret(mesh, folder, name) }
            try await mesh.start(
                namespace: namespace,
                ["one", "two"].flatMap { name in
                    [
                        Manifests.sample(
                            name: name, app: name, version: "v1", namespace: namespace,
                            arguments: ["echo", "--port", "9080"]),
                        Manifests.service(name: name, port: 9080, namespace: namespace), route(name),
                    ]
                } + [gateway])
            return mesh
        }

        /// A certificate for `NAME.example` of its own authority, and the Secret that holds it.
        private static func secret(_ mesh: LocalMesh, _ folder: String, _ name: String) async throws {
            try await command([
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name).example", "-keyout",
                "\(folder)/\(name).key", "-out", "\(folder)/\(name).crt",
            ]).checked()
            let manifest = try await mesh.kubectl(
                "create", "secret", "tls", "\(name)-cert", "-n", "istio-system", "--cert=\(folder)/\(name).crt",
                "--key=\(folder)/\(name).key", "--dry-run=client", "-o", "yaml"
            ).checked().out
            try await mesh.apply(manifest)
        }

        private static let gateway = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: edge, namespace: edge}
            spec:
              selector: {istio: ingressgateway}
              servers:
              - port: {number: 443, name: https-one, protocol: HTTPS}
                hosts: [one.example]
                tls: {mode: SIMPLE, credentialName: one-cert}
              - port: {number: 443, name: https-two, protocol: HTTPS}
                hosts: [two.example]
                tls: {mode: SIMPLE, credentialName: two-cert}
              - port: {number: 80, name: http-one, protocol: HTTP}
                hosts: [one.example]
                tls: {httpsRedirect: true}
              - port: {number: 80, name: http-two, protocol: HTTP}
                hosts: [two.example]
            """

        private static func route(_ name: String) -> String {
            """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: \(name), namespace: edge}
            spec:
              hosts: [\(name).example]
              gateways: [edge]
              http: [{route: [{destination: {host: \(name)}}]}]
            """
        }

        /// Asks the published HTTPS port with a server name; trusts only the named certificate.
        private func https(
            _ mesh: LocalMesh, _ host: String, trusting name: String, _ arguments: String...
        ) async throws -> (answer: Answer, status: Int32) {
            let result = try await command(
                [
                    "curl", "-s", "-i", "--max-time", "10", "--cacert", "\(mesh.home)/edge/\(name).crt", "--resolve",
                    "\(host):\(mesh.httpsPort):127.0.0.1",
                ] + arguments + ["https://\(host):\(mesh.httpsPort)/secure?a=b"])
            return (Answer(result.out), result.status)
        }

        private func http(_ mesh: LocalMesh, host: String) async throws -> Answer {
            let result = try await command([
                "curl", "-s", "-i", "--max-time", "10", "-H", "Host: \(host)",
                "http://127.0.0.1:\(mesh.httpPort)/secure?a=b",
            ])
            return Answer(result.out)
        }

        @Test(arguments: ["one", "two"])
        func eachHostHasItsCertificateAndItsBackend(_ name: String) async throws {
            let mesh = try await Self.mesh.value
            let answer = try await eventually("\(name).example answers over TLS") {
                let answer = try await https(mesh, "\(name).example", trusting: name).answer
                return answer.status == 200 ? answer : nil
            }
            #expect(answer.description.hasPrefix("HTTP/2 200"), "\(answer)")
            #expect(answer.echoed("hostname")?.hasPrefix("\(name)-") == true, "\(answer)")
            #expect(answer.echoed("url") == "/secure?a=b")
            #expect(answer.echoed("headers", "x-forwarded-proto") == "https", "\(answer)")
            // From the gateway on it is the mesh's own TLS.
            let peer = answer.echoed("headers", "x-forwarded-client-cert") ?? ""
            #expect(peer.contains("/ns/istio-system/sa/istio-ingressgateway"), "\(answer)")
            let old = try await https(mesh, "\(name).example", trusting: name, "--http1.1").answer
            #expect(old.description.hasPrefix("HTTP/1.1 200"), "\(old)")
            let other = name == "one" ? "two" : "one"
            // 60: the certificate is not the one of the other host.
            #expect(try await https(mesh, "\(name).example", trusting: other).status == 60)
        }

        @Test func aNameWithoutServerIsRefused() async throws {
            let mesh = try await Self.mesh.value
            try await eventually("one.example answers over TLS") {
                try await https(mesh, "one.example", trusting: "one").answer.status == 200 ? true : nil
            }
            // 35: no TLS at all for a name that no server has.
            #expect(try await https(mesh, "three.example", trusting: "one").status == 35)
            // A request for one host inside the TLS of the other finds no route.
            let crossed = try await https(mesh, "one.example", trusting: "one", "-H", "Host: two.example").answer
            #expect(crossed.status == 404, "\(crossed)")
        }

        @Test func plainTextIsRedirectedWhereTheServerSaysSo() async throws {
            let mesh = try await Self.mesh.value
            let redirected = try await eventually("one.example redirects") {
                let answer = try await http(mesh, host: "one.example")
                return answer.status == 301 ? answer : nil
            }
            #expect(redirected.headers["location"] == "https://one.example/secure?a=b", "\(redirected)")
            let served = try await http(mesh, host: "two.example")
            #expect(served.status == 200, "\(served)")
            #expect(served.echoed("hostname")?.hasPrefix("two-") == true, "\(served)")
            #expect(served.echoed("headers", "x-forwarded-proto") == "http", "\(served)")
        }

        @Test func aReplacedSecretIsServed() async throws {
            let mesh = try await Self.mesh.value
            func served() async throws -> String {
                let result = try await command(
                    [
                        "openssl", "s_client", "-connect", "127.0.0.1:\(mesh.httpsPort)", "-servername", "two.example",
                        "-showcerts",
                    ], timeout: 10)
                let begin = try #require(result.out.range(of: "-----BEGIN CERTIFICATE-----"), "\(result)")
                let end = try #require(result.out.range(of: "-----END CERTIFICATE-----\n"), "\(result)")
                return String(result.out[begin.lowerBound..<end.upperBound])
            }
            let path = mesh.home + "/edge/two.crt"
            let first = try String(contentsOfFile: path, encoding: .utf8)
            try await eventually("the first certificate is served") { try await served() == first ? true : nil }
            try await Self.secret(mesh, mesh.home + "/edge", "two")
            let second = try String(contentsOfFile: path, encoding: .utf8)
            #expect(second != first)
            try await eventually("the second certificate is served") { try await served() == second ? true : nil }
            #expect(try await https(mesh, "two.example", trusting: "two").answer.status == 200)
        }
    }
}
