import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// The commands that a user types, against the running mesh.
    @Suite(.serialized) struct CommandLineTests {
        private func parsed(_ text: String) throws -> Any { try JSONSerialization.jsonObject(with: Data(text.utf8)) }

        @Test(arguments: ["clusters", "listeners", "routes", "endpoints", "secret", "all", "bootstrap"])
        func proxyConfigSpeaksJSONAndYAML(_ kind: String) async throws {
            let mesh = try await LocalMesh.shared()
            let proxy = "deploy/productpage-v1.bookinfo"
            let json = try await mesh.istioctl("proxy-config", kind, proxy, "-o", "json").checked()
            let value = try parsed(json.out)
            let isFilled = (value as? [Any]).map { !$0.isEmpty } ?? (value as? [String: Any]).map { !$0.isEmpty }
            #expect(isFilled == true, "\(kind) is empty")
            let yaml = try await mesh.istioctl("proxy-config", kind, proxy, "-o", "yaml").checked()
            #expect(
                !yaml.out.hasPrefix("{") && !yaml.out.hasPrefix("[") && yaml.out.contains(": "),
                "\(yaml.out.prefix(99))")
            #expect(!json.out.contains("PRIVATE KEY") && !yaml.out.contains("PRIVATE KEY"))
            let table = try await mesh.istioctl("proxy-config", kind, proxy).checked()
            #expect(!table.out.isEmpty)
        }

        @Test func proxyConfigLogChangesTheLevel() async throws {
            let mesh = try await LocalMesh.shared()
            let proxy = "deploy/details-v1.bookinfo"
            #expect(try await mesh.istioctl("proxy-config", "log", proxy).checked().out.contains("info"))
            let set = try await mesh.istioctl("proxy-config", "log", proxy, "--level", "debug").checked()
            #expect(set.out.contains("debug"), "\(set)")
            let bad = try await mesh.istioctl("proxy-config", "log", proxy, "--level", "loud")
            #expect(bad.status == 1)
            #expect(bad.err.contains("unknown level"), "\(bad)")
            try await mesh.istioctl("proxy-config", "log", proxy, "--level", "info").checked()
        }

        @Test func proxyStatusHasNoFaultWhereThereIsNothingToSend() async throws {
            let mesh = try await LocalMesh.shared()
            let rows = try await eventually("every proxy is in sync") {
                let json = try await mesh.istioctl("proxy-status", "-o", "json").checked().out
                let rows = try #require(try parsed(json) as? [[String: String]])
                let states = rows.flatMap { row in ["cds", "lds", "eds", "rds", "ecds"].compactMap { row[$0] } }
                return !states.isEmpty && states.allSatisfy { ["SYNCED", "IGNORED"].contains($0) } ? rows : nil
            }
            // An egress gateway without a Gateway object has neither listeners nor routes.
            #expect(rows.contains { $0["name"]?.hasPrefix("istio-egressgateway") ?? false })
            let one = try await mesh.istioctl("proxy-status", "deploy/reviews-v1.bookinfo", "-o", "yaml").checked()
            #expect(one.out.contains("reviews-v1") && !one.out.contains("ratings"))
        }

        @Test func injectedManifestsRunWithoutTheWebhook() async throws {
            let mesh = try await LocalMesh.shared()
            try await mesh.deleteNamespaces("by-hand")
            try await mesh.kubectl("create", "namespace", "by-hand").checked()
            let manifest = """
                \(Manifests.hello(name: "web", app: "web", version: "v1", namespace: "by-hand"))
                ---
                \(Manifests.service(name: "web", port: 80, namespace: "by-hand"))
                """
            let file = mesh.home + "/by-hand.yaml"
            try Data(manifest.utf8).write(to: URL(filePath: file))
            let injected = try await mesh.istioctl("kube-inject", "-f", file).checked()
            #expect(injected.out.contains("istio-proxy"))
            try await mesh.kubectl("apply", "-f", "-", input: injected.out).checked()
            try await mesh.waitForDeployment("web", namespace: "by-hand")
            let pods = try await mesh.pods(namespace: "by-hand")
            #expect(pods.map(\.ready) == ["2/2"], "\(pods)")
            try await eventually("the mesh reaches it") {
                try await mesh.status(
                    from: "deploy/productpage-v1", namespace: "bookinfo", container: "productpage", "http://web.by-hand"
                )
                    == "200" ? true : nil
            }
            // What is injected already stays as it is.
            try Data(injected.out.utf8).write(to: URL(filePath: file))
            #expect(try await mesh.istioctl("kube-inject", "-f", file).checked().out == injected.out)
            try await mesh.deleteNamespaces("by-hand")
        }

        @Test func analyzeSaysByItsExitStatusWhatItFound() async throws {
            let mesh = try await LocalMesh.shared()
            let file = mesh.home + "/bad.yaml"
            let manifest = """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: lost, namespace: bookinfo}
                spec:
                  hosts: [reviews]
                  http:
                  - route:
                    - destination: {host: nobody}
                """
            try Data(manifest.utf8).write(to: URL(filePath: file))
            for arguments in [["-f", file, "--use-kube=false"], [file, "-n", "bookinfo"]] {
                let result = try await command(
                    [LocalMesh.testedBinaries + "/weft", "analyze"] + arguments, environment: mesh.environment)
                #expect(result.status == 79, "\(result)")
                let text =
                    "Error [IST0101] (VirtualService bookinfo/lost \(file):8) Referenced host not found: \"nobody\""
                #expect(result.out.contains(text), "\(result)")
            }
            let lenient = try await mesh.weft(
                "analyze", file, "--use-kube=false", "--failure-threshold", "Error", "--output-threshold", "Error",
                "-o",
                "json")
            let found = try #require(try parsed(lenient.out) as? [[String: Any]])
            #expect(found.map { $0["code"] as? String } == ["IST0101"])
            #expect(found.first?["reference"] as? String == "\(file):8")
            let clean = try await mesh.weft("analyze", "-n", "bookinfo").checked()
            #expect(clean.out.contains("✔ No validation issues found when analyzing namespace: bookinfo."), "\(clean)")
            #expect(try await mesh.weft("analyze", "-A", "-o", "yaml").succeeded)
            let nothing = try await mesh.weft("analyze", "--use-kube=false")
            #expect(nothing.status != 0 && nothing.status != 79)
            #expect(nothing.err.contains("name files"), "\(nothing)")
        }

        @Test func validateChecksFilesWithoutACluster() async throws {
            let mesh = try await LocalMesh.shared()
            let file = mesh.home + "/weights.yaml"
            let manifest = """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: split, namespace: dev}
                spec:
                  hosts: [a]
                  http:
                  - route:
                    - destination: {host: a}
                      weight: -5
                """
            try Data(manifest.utf8).write(to: URL(filePath: file))
            let nowhere = ["KUBECONFIG": "/nowhere", "WEFT_HOME": "/nowhere"]
            let weft = LocalMesh.testedBinaries + "/weft"
            let bad = try await command([weft, "validate", "-f", file], environment: nowhere)
            #expect(bad.status == 1)
            #expect(bad.out.contains("\(file):9: Error") && bad.out.contains("spec.http[0].route[0].weight"), "\(bad)")
            try Data(manifest.replacingOccurrences(of: "-5", with: "5").utf8).write(to: URL(filePath: file))
            #expect(try await command([weft, "validate", "-f", file], environment: nowhere).succeeded)
            let missing = try await command([weft, "validate", "-f", "/nowhere/x.yaml"], environment: nowhere)
            #expect(missing.err.contains("check that the file exists"), "\(missing)")
        }

        @Test func completionsAreScriptsOfTheirShells() async throws {
            let mesh = try await LocalMesh.shared()
            for (shell, mark) in [("bash", "complete "), ("zsh", "#compdef weft"), ("fish", "complete -c")] {
                let script = try await mesh.weft("completion", shell).checked().out
                #expect(script.contains(mark) && script.contains("proxy-config"), "\(shell): \(script.prefix(200))")
                guard shell == "bash" else { continue }
                try await command(["bash", "-n"], input: script).checked()
            }
            let other = try await mesh.weft("completion", "tcsh")
            #expect(other.status == 64)
            #expect(other.err.contains("bash"), "\(other)")
        }

        @Test func dashboardPrintsAnAddressThatAnswers() async throws {
            let mesh = try await LocalMesh.shared()
            let url = try await mesh.weft("dashboard", "--no-browser").checked().out
                .trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(url == "http://127.0.0.1:\(mesh.dashboardPort)/")
            #expect(try await command(["curl", "-s", url]).out.contains("<html"))
            #expect(try await mesh.weft("dashboard", "nagios").err.contains("use one of kiali"))
        }

        @Test func statusAndVersionCanBeReadByPrograms() async throws {
            let mesh = try await LocalMesh.shared()
            let status = try parsed(try await mesh.weft("status", "-o", "json").checked().out) as? [[String: String]]
            #expect(
                status?.contains { $0["component"] == "istiod" && $0["state"] == "ready" } == true, "\(status ?? [])")
            let version = try parsed(try await mesh.weft("version", "-o", "json").checked().out) as? [String: Any]
            #expect(version?["meshVersion"] != nil)
            #expect(version?["dataPlaneVersion"] != nil)
        }

        @Test(arguments: [
            (["proxy-config", "routes", "nobody.bookinfo"], "kubectl get pods -n bookinfo"),
            (["proxy-config", "routes", "job/x"], "use POD[.NAMESPACE] or deploy/NAME[.NAMESPACE]"),
            (["proxy-config", "routes"], "Usage: weft proxy-config routes"),
            (["proxy-config", "routez", "x"], "--help"),
            (["proxy-status", "-i", "elsewhere"], "name its namespace with -i"),
            (["nonsense"], "--help"), (["analyze", "/nowhere.yaml"], "check that the file exists"),
            (["install", "--set", "profile"], "is not of the form path=value"),
            (["up", "--demo", "nothing"], "bookinfo"),
        ])
        func badUsagesSayWhatToDoNext(_ arguments: [String], _ words: String) async throws {
            let mesh = try await LocalMesh.shared()
            let result = try await command(
                [LocalMesh.testedBinaries + "/weft"] + arguments, environment: mesh.environment)
            #expect(result.status != 0)
            #expect(result.err.contains(words), "\(result)")
        }

        @Test func controlCStopsAMeshInTheForeground() async throws {
            let mesh = LocalMesh(name: "foreground", firstPort: 26470)
            try await mesh.weft("down", "--purge")
            let before = try await command(["sh", "-c", "ip netns; ip link; mount | wc -l; nft list ruleset"]).out
            // What a terminal does: SIGINT to a process that does not ignore it.
            let script = """
                "$0" "$@" >"$LOG" 2>&1 &
                pid=$!
                for i in $(seq 600); do grep -q "$READY" "$LOG" && break; sleep 0.1; done
                grep -q "$READY" "$LOG" || { cat "$LOG"; kill -TERM $pid; exit 99; }
                if [ "$READY" = "Press Ctrl-C" ]; then sleep 3; "$0" status; fi
                grep -q Stopping "$LOG" && echo "stopped by itself"
                kill -INT $pid
                wait $pid; echo "exit $?"
                cat "$LOG"
                """
            for ready in ["Press Ctrl-C", "Kubernetes API on"] {
                try FileManager.default.createDirectory(atPath: mesh.home, withIntermediateDirectories: true)
                let variables = ["LOG": mesh.home + "/up.log", "READY": ready]
                try? FileManager.default.removeItem(atPath: mesh.home + "/up.log")
                let result = try await command(
                    ["bash", "-c", script, LocalMesh.testedBinaries + "/weft", "up"] + mesh.ports,
                    environment: mesh.environment.merging(variables) { $1 }, timeout: 180)
                #expect(result.out.contains("exit 0"), "\(ready): \(result)")
                #expect(result.out.contains("The local mesh has stopped"), "\(ready): \(result)")
                if ready == "Press Ctrl-C" { #expect(result.out.contains("istio-ingressgateway"), "\(result)") }
                #expect(!result.out.contains("stopped by itself"), "\(result)")
                let status = try await mesh.weft("status")
                #expect(status.status == 1)
                #expect(status.err.contains("Start it with 'weft up'"))
                let after = try await command(["sh", "-c", "ip netns; ip link; mount | wc -l; nft list ruleset"]).out
                #expect(after == before, "something is left")
            }
            try await mesh.weft("down", "--purge").checked()
        }
    }
}
