import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Whom the mesh trusts changes while it works: roots are exchanged under load, single certificates are revoked by a
    /// list, and a workload loses the mesh's trust altogether. A mesh of its own, because every proxy of it is concerned.
    @Suite(.serialized) struct TrustTests {
        private static let namespace = "trust"
        /// Seconds for a step. Other builds and tests may run on the machine at the same time.
        private static let patience = 240
        /// Certificates of a minute are renewed after less than 30 s. Of 16 s some ended before a control plane answered that
        /// had stood still for 12 s, with builds on all cores.
        private static let short = #"{proxy.istio.io/config: "{proxyMetadata: {SECRET_TTL: 60s}}"}"#
        private static let shortWithEnvoy = #"""
            {proxy.istio.io/config: "{proxyMetadata: {SECRET_TTL: 60s}}", weft.dev/data-plane: envoy, weft.dev/envoy-path: /opt/weft/bin/envoy}
            """#

        @Test func rootsAreExchangedUnderLoadAndTrustIsWithdrawn() async throws {
            let mesh = LocalMesh(name: "trust", firstPort: 26470)
            _ = try? await mesh.weft("down", "--purge")
            try await mesh.weft("up", "--detach", timeout: 180).checked()
            do {
                try await start(mesh)
                let authority = try await exchangeRoots(mesh)
                try await revokeOneCertificate(mesh, authority)
                try await withdrawTrust(mesh)
            } catch {
                _ = try? await mesh.weft("down", "--purge")
                throw error
            }
            try await mesh.weft("down", "--purge").checked()
        }

        private func start(_ mesh: LocalMesh) async throws {
            func server(_ name: String, _ annotations: String) -> [String] {
                let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: \(name), namespace: trust}"
                let server = Manifests.sample(
                    name: name, app: name, version: "v1", namespace: "trust", arguments: ["echo", "--port", "9080"],
                    annotations: annotations
                ).replacingOccurrences(of: "serviceAccountName: default", with: "serviceAccountName: \(name)")
                return [account, server, Manifests.service(name: name, port: 9080, namespace: "trust")]
            }
            try await mesh.start(
                namespace: Self.namespace,
                server("weft", Self.short) + server("envoy", Self.shortWithEnvoy) + server("victim", "{}") + [
                    Manifests.client(namespace: "trust", annotations: Self.short),
                    Manifests.client(namespace: "trust", name: "envoyclient", annotations: Self.shortWithEnvoy), rules,
                ])
            for caller in callers(mesh) {
                try await eventually("\(caller.workload): every server answers", within: Self.patience) {
                    let codes = try await caller.codes(["weft:9080", "envoy:9080", "victim:9080"])
                    return codes == ["200", "200", "200"] ? true : nil
                }
            }
        }

        private func callers(_ mesh: LocalMesh) -> [Caller] {
            ["deploy/client", "deploy/envoyclient"].map { Caller(mesh: mesh, namespace: "trust", workload: $0) }
        }

        /// Mutual TLS alone, a handshake for each request, and no second try that would hide a failure.
        private var rules: String {
            let routes = ["weft", "envoy", "victim"].map { name in
                """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: \(name), namespace: trust}
                spec: {hosts: [\(name)], http: [{retries: {attempts: 0}, route: [{destination: {host: \(name)}}]}]}
                """
            }
            return ([Self.common] + routes).joined(separator: "\n---\n")
        }

        private static let common = """
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: default, namespace: trust}
            spec: {mtls: {mode: STRICT}}
            ---
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: all, namespace: trust}
            spec:
              host: "*.trust.svc.cluster.local"
              trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 1}}}
            """

        // MARK: - Roots

        /// From the mesh's own root to a plugged-in intermediate of another one, in three steps; requests go on all the time.
        private func exchangeRoots(_ mesh: LocalMesh) async throws -> Authority {
            let authority = try await Authority(folder: mesh.home + "/authority")
            let old = try await authority.secret(of: mesh, "istio-ca-secret")
            let oldRoot = old["root-cert.pem"] ?? ""
            // Servers that are about to start refuse connections, and that is no failure.
            var before: [(made: Int, failed: Int)] = []
            for caller in callers(mesh) { before.append(try await handshakes(caller)) }
            let loads = try await startLoad(mesh)
            try await progress(loads)
            // 1: both roots, the old key. 2: the new key. 3: the new root alone.
            var step = old.filter { ["ca-cert.pem", "ca-key.pem"].contains($0.key) }
            step["root-cert.pem"] = oldRoot + authority.root
            try await authority.plug(step, into: mesh)
            try await everyWorkload(mesh, trusts: 2, hasChainOf: 1)
            try await progress(loads)
            step = authority.data
            step["root-cert.pem"] = oldRoot + authority.root
            try await authority.plug(step, into: mesh)
            try await everyWorkload(mesh, trusts: 2, hasChainOf: 2)
            try await progress(loads)
            try await authority.plug(authority.data, into: mesh)
            try await everyWorkload(mesh, trusts: 1, hasChainOf: 2)
            try await progress(loads)
            try await finish(mesh, loads, before)
            return authority
        }

        /// Two loops of curl for each client; every request is a connection of its own to the client's sidecar, and one of
        /// the sidecar's to the server.
        private func startLoad(_ mesh: LocalMesh) async throws -> [Caller] {
            for caller in callers(mesh) {
                _ = try await caller.shell(
                    """
                    for loop in 1 2; do
                      (while [ ! -e /tmp/$HOSTNAME.stop ]; do for server in weft envoy; do
                        code=$(curl -s -o /tmp/$HOSTNAME.$loop -w "%{http_code}" --max-time 20 http://$server:9080/)
                        echo "$server $code" >>/tmp/$HOSTNAME.load
                        [ $code = 200 ] || echo "$(date +%T.%3N) $server $code $(cat /tmp/$HOSTNAME.$loop)" \
                          >>/tmp/$HOSTNAME.refused
                      done; done) >/dev/null 2>&1 </dev/null &
                    done
                    """)
            }
            return callers(mesh)
        }

        /// Waits until each client has made so many more requests: what a step changed is seen by all of them.
        private func progress(_ loads: [Caller]) async throws {
            func made(_ caller: Caller) async throws -> Int {
                try await caller.shell("cat /tmp/$HOSTNAME.load").split(separator: "\n").count
            }
            var before: [Int] = []
            for caller in loads { before.append(try await made(caller)) }
            for (caller, count) in zip(loads, before) {
                try await eventually("\(caller.workload) makes 40 more requests", within: Self.patience) {
                    try await made(caller) >= count + 40 ? true : nil
                }
            }
        }

        private func finish(
            _ mesh: LocalMesh, _ loads: [Caller], _ before: [(made: Int, failed: Int)]
        ) async throws {
            for (caller, before) in zip(loads, before) {
                let log = try await caller.shell("touch /tmp/$HOSTNAME.stop; cat /tmp/$HOSTNAME.load")
                let answers = log.split(separator: "\n").map(String.init)
                #expect(answers.count >= 160, "\(caller.workload) made only \(answers.count) requests")
                var refused = try await caller.shell("cat /tmp/$HOSTNAME.refused 2>/dev/null")
                if !refused.isEmpty {
                    refused += try await mesh.kubectl("logs", "-n", "trust", "-l", "version", "-c", "istio-proxy").out
                }
                #expect(Set(answers) == ["weft 200", "envoy 200"], "\(caller.workload): \(refused)")
                let after = try await handshakes(caller)
                let (made, failed) = (after.made - before.made, after.failed - before.failed)
                #expect(failed == 0, "\(caller.workload): \(failed) handshakes failed")
                #expect(made >= answers.count, "\(answers.count) requests in \(made) handshakes: not one each")
            }
        }

        /// Connections that the caller's sidecar has made to the servers, and those that did not come up.
        private func handshakes(_ caller: Caller) async throws -> (made: Int, failed: Int) {
            let stats = try await caller.get("http://127.0.0.1:15000/clusters").body
            var (made, failed) = (0, 0)
            for line in stats.split(separator: "\n") where line.contains("outbound|9080||") && line.contains(".trust.")
            {
                let value = line.split(separator: ":").last.flatMap { Int($0) } ?? 0
                if line.contains("::cx_total::") { made += value }
                if line.contains("::cx_connect_fail::") { failed += value }
            }
            return (made, failed)
        }

        /// Waits until every workload trusts so many roots, and has a chain of so many certificates: one of the mesh's own
        /// root is alone, one of the intermediate has it beside itself.
        private func everyWorkload(_ mesh: LocalMesh, trusts roots: Int, hasChainOf length: Int) async throws {
            for workload in ["client", "envoyclient", "weft", "envoy"] {
                try await eventually(
                    "\(workload) trusts \(roots) roots, with a chain of \(length)", within: Self.patience
                ) {
                    let seen = try await mesh.exec(
                        "deploy/\(workload)", namespace: "trust", container: "istio-proxy", "bash", "-c",
                        workload.hasPrefix("envoy") ? Self.files : Self.page
                    ).checked().out
                    return seen == "\(roots) \(length)\n" ? true : nil
                }
            }
        }

        /// What the agent has written for Envoy.
        private static let files = """
            count() { grep -o 'BEGIN CERTIFICATE' /etc/istio/proxy/sds-$1.json | wc -l; }
            echo $(count rootca) $(count default)
            """
        /// What weft-proxy tells.
        private static let page = """
            count() { curl -s http://127.0.0.1:15000/certs | tr '{' '\\n' | grep -c "secret_name.*$1"; }
            echo $(count ROOTCA) $(count default)
            """

        // MARK: - Certificates

        /// The certificate of `victim` is put on a list: both kinds of proxies refuse it, as server and as client.
        private func revokeOneCertificate(_ mesh: LocalMesh, _ authority: Authority) async throws {
            // Its certificate of a day was issued below the root that is gone.
            try await eventually("a certificate of the old root is refused", within: Self.patience) {
                try await codes(mesh, "victim") == ["503", "503"] ? true : nil
            }
            try await restartVictim(mesh)
            let page = try await mesh.exec(
                "deploy/victim", namespace: "trust", container: "istio-proxy", "curl", "-s",
                "http://127.0.0.1:15000/certs"
            ).checked().out
            let document = try JSONSerialization.jsonObject(with: Data(page.utf8)) as? [String: Any]
            let certificates = (document?["certificates"] as? [[String: Any]])?.first
            let chain = certificates?["cert_chain"] as? [[String: Any]]
            let serial = try #require(chain?.first?["serial_number"] as? String, "\(page)")
            var data = authority.data
            data["ca-crl.pem"] = try await authority.lists(revoking: serial)
            try await authority.plug(data, into: mesh)
            try await eventually("a revoked certificate is refused to both clients", within: Self.patience) {
                try await codes(mesh, "victim") == ["503", "503"] ? true : nil
            }
            try await eventually("a revoked certificate is refused by both servers", within: Self.patience) {
                try await victim(mesh) == ["503", "503"] ? true : nil
            }
            // Everybody else goes on, and so does the workload with another certificate.
            for name in ["weft", "envoy"] { #expect(try await codes(mesh, name) == ["200", "200"]) }
            try await restartVictim(mesh)
        }

        /// The status that each client gets from a server.
        private func codes(_ mesh: LocalMesh, _ server: String) async throws -> [String] {
            var codes: [String] = []
            for caller in callers(mesh) { codes += try await caller.codes(["http://\(server):9080/"]) }
            return codes
        }

        /// The status that `victim` gets from each server.
        private func victim(_ mesh: LocalMesh) async throws -> [String] {
            try await Caller(mesh: mesh, namespace: "trust", workload: "deploy/victim", container: "app").codes(
                ["http://weft:9080/", "http://envoy:9080/"])
        }

        private func restartVictim(_ mesh: LocalMesh) async throws {
            try await mesh.kubectl("rollout", "restart", "-n", "trust", "deployment/victim").checked()
            try await mesh.waitForDeployment("victim", namespace: "trust", timeout: Self.patience)
            try await eventually("a new certificate is good", within: Self.patience) {
                let both = [try await codes(mesh, "victim"), try await victim(mesh)]
                return both == [["200", "200"], ["200", "200"]] ? true : nil
            }
        }

        // MARK: - Identities

        /// Nobody trusts `victim` any more: not as a server, not as a client, and it gets no new certificate.
        private func withdrawTrust(_ mesh: LocalMesh) async throws {
            try await mesh.withMeshConfig("revokedIdentities: [spiffe://cluster.local/ns/trust/sa/victim]") {
                try await eventually("clients do not take it for its service", within: Self.patience) {
                    try await codes(mesh, "victim") == ["503", "503"] ? true : nil
                }
                try await eventually("servers refuse it", within: Self.patience) {
                    try await victim(mesh) == ["403", "403"] ? true : nil
                }
                for name in ["weft", "envoy"] { #expect(try await codes(mesh, name) == ["200", "200"]) }
                try await mesh.kubectl("delete", "pod", "-n", "trust", "-l", "app=victim", "--wait=false").checked()
                try await eventually("no new certificate is issued", within: Self.patience) {
                    let log = try await mesh.kubectl("logs", "-n", "istio-system", "deploy/istiod", "--tail=500")
                        .checked()
                    return log.out.contains("certificate refused") && log.out.contains("/sa/victim was withdrawn")
                        ? true : nil
                }
            }
            try await eventually("trust is back", within: Self.patience) {
                let both = [try await codes(mesh, "victim"), try await victim(mesh)]
                return both == [["200", "200"], ["200", "200"]] ? true : nil
            }
        }
    }
}

/// An authority as an operator makes it with `openssl`: a root, and an intermediate that signs for the mesh.
private struct Authority {
    let folder: String
    let root: String
    /// What `cacerts` holds.
    let data: [String: String]

    init(folder: String) async throws {
        self.folder = folder
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func key(_ name: String) -> [String] {
            ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "\(folder)/\(name).key"]
        }
        try await command(
            ["openssl", "req", "-x509", "-days", "2", "-subj", "/O=Plugged/CN=plugged root"] + key("root")
                + ["-out", "\(folder)/root.crt"]
        ).checked()
        try await command(
            ["openssl", "req", "-subj", "/O=Plugged/CN=plugged intermediate"] + key("middle")
                + ["-out", "\(folder)/middle.csr"]
        ).checked()
        try Data("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n".utf8).write(
            to: URL(filePath: folder + "/middle.ext"))
        try await command([
            "openssl", "x509", "-req", "-in", "\(folder)/middle.csr", "-CA", "\(folder)/root.crt", "-CAkey",
            "\(folder)/root.key", "-CAcreateserial", "-days", "1", "-extfile", "\(folder)/middle.ext", "-out",
            "\(folder)/middle.crt",
        ]).checked()
        func text(_ name: String) throws -> String { try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) }
        root = try text("root.crt")
        data = [
            "ca-cert.pem": try text("middle.crt"), "ca-key.pem": try text("middle.key"),
            "cert-chain.pem": try text("middle.crt") + root, "root-cert.pem": root,
        ]
    }

    /// Lists of both authorities; the intermediate's has one serial number.
    func lists(revoking serial: String) async throws -> String {
        var lists = ""
        for (name, row) in [
            ("root", ""), ("middle", "R\t400101000000Z\t260101000000Z\t\(serial.uppercased())\tunknown\t/CN=x\n"),
        ] {
            try Data(row.utf8).write(to: URL(filePath: "\(folder)/\(name).txt"))
            try Data("[ca]\ndefault_ca = a\n[a]\ndatabase = \(folder)/\(name).txt\ndefault_md = sha256\n".utf8).write(
                to: URL(filePath: "\(folder)/\(name).cnf"))
            try await command([
                "openssl", "ca", "-gencrl", "-config", "\(folder)/\(name).cnf", "-cert", "\(folder)/\(name).crt",
                "-keyfile", "\(folder)/\(name).key", "-crldays", "1", "-out", "\(folder)/\(name).crl",
            ]).checked()
            lists += try String(contentsOfFile: "\(folder)/\(name).crl", encoding: .utf8)
        }
        return lists
    }

    /// Writes `cacerts`.
    func plug(_ data: [String: String], into mesh: LocalMesh) async throws {
        let lines = data.sorted { $0.key < $1.key }.map { "  \($0.key): \(Data($0.value.utf8).base64EncodedString())" }
        try await mesh.apply(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: cacerts, namespace: istio-system}\ndata:\n"
                + lines.joined(separator: "\n"))
    }

    func secret(of mesh: LocalMesh, _ name: String) async throws -> [String: String] {
        let json = try await mesh.kubectl("get", "secret", name, "-n", "istio-system", "-o", "json").checked().out
        let document = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        let data = document?["data"] as? [String: String] ?? [:]
        return data.compactMapValues { Data(base64Encoded: $0).map { String(decoding: $0, as: UTF8.self) } }
    }
}
