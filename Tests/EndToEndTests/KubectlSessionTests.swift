import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// What needs a terminal, an editor or a rollout's history, with the kubectl on the PATH and the newest one.
    @Suite(.serialized) struct KubectlSessionTests {
        private static let space = "sessions"

        private func prepare(_ mesh: LocalMesh) async throws {
            try await mesh.deleteNamespaces(Self.space)
            try await mesh.kubectl("create", "namespace", Self.space).checked()
            try await mesh.apply(Manifests.hello(name: "web", app: "web", version: "v1", namespace: Self.space))
            try await mesh.waitForDeployment("web", namespace: Self.space)
        }

        /// `script` gives kubectl a terminal of its own.
        @Test(arguments: KubectlTests.binaries)
        func execWithTerminal(_ binary: String) async throws {
            let mesh = try await LocalMesh.shared()
            try await prepare(mesh)
            let typed = "sleep 2; printf 'tty; stty size; echo sum $((6*7))\\n'; sleep 2; printf 'exit 3\\n'; sleep 1"
            let kubectl = "stty rows 31 cols 97; \(binary) exec -it -n \(Self.space) deploy/web -- sh"
            let result = try await command(
                ["sh", "-c", "(\(typed)) | script -qefc \"\(kubectl)\" /dev/null"], environment: mesh.environment)
            #expect(result.out.contains("/dev/pts/"), "\(result)")
            #expect(result.out.contains("31 97"), "the terminal's size did not arrive: \(result)")
            #expect(result.out.contains("sum 42"), "\(result)")
            #expect(result.all.contains("exit code 3"), "\(result)")
            try await mesh.deleteNamespaces(Self.space)
        }

        @Test(arguments: KubectlTests.binaries)
        func editsDiffsAndPatches(_ binary: String) async throws {
            let mesh = try await LocalMesh.shared()
            try await prepare(mesh)
            func run(_ arguments: String..., input: String = "") async throws -> CommandResult {
                try await mesh.kubectl(["-n", Self.space] + arguments, binary: binary, input: input)
            }
            var environment = mesh.environment
            environment["KUBE_EDITOR"] = "sed -i s/replicas:.1/replicas:\\ 2/"
            try await command([binary, "edit", "-n", Self.space, "deploy/web"], environment: environment).checked()
            let path = "jsonpath={.spec.replicas} {.metadata.labels.a} {.spec.template.spec.containers[0].env[0].value}"
            #expect(try await run("get", "deploy", "web", "-o", path).out == "2  ")
            environment["KUBE_EDITOR"] = "sed -i s/replicas:.2/replicas:\\ -1/"
            let refused = try await command(
                [binary, "edit", "-n", Self.space, "deploy/web"], environment: environment)
            #expect(!refused.succeeded && refused.all.contains("is invalid"), "\(refused)")

            let changed = Manifests.hello(name: "web", app: "web", version: "v1", namespace: Self.space)
                .replacingOccurrences(of: "containerPort: 80", with: "containerPort: 81")
            let diff = try await run("diff", "-f", "-", input: changed)
            #expect(diff.status == 1 && diff.out.contains("+        - containerPort: 81"), "\(diff)")

            try await run(
                "patch", "deploy", "web", "--type=json", "-p",
                #"[{"op":"replace","path":"/spec/replicas","value":3}]"#
            ).checked()
            try await run("patch", "deploy", "web", "--type=merge", "-p", #"{"metadata":{"labels":{"a":"b"}}}"#)
                .checked()
            try await run(
                "patch", "deploy", "web", "--type=strategic", "-p",
                #"{"spec":{"template":{"spec":{"containers":[{"name":"hello","env":[{"name":"X","value":"y"}]}]}}}}"#
            ).checked()
            #expect(try await run("get", "deploy", "web", "-o", path).out == "3 b y")
            let failed = try await run(
                "patch", "deploy", "web", "--type=json", "-p", #"[{"op":"test","path":"/spec/replicas","value":9}]"#)
            #expect(!failed.succeeded)

            #expect(try await run("label", "deploy", "web", "a=c").err.contains("--overwrite is false"))
            try await run("label", "deploy", "web", "a=c", "--overwrite").checked()
            let columns = try await run(
                "get", "deploy", "web", "-o", "custom-columns=NAME:.metadata.name,A:.metadata.labels.a")
            #expect(columns.out.split(whereSeparator: \.isWhitespace) == ["NAME", "A", "web", "c"], "\(columns)")
            #expect(try await run("explain", "deployment.spec.replicas").checked().out.contains("<integer>"))
            #expect(try await run("explain", "virtualservice.spec.http").checked().out.contains("timeout"))
            #expect(!(try await run("explain", "deployment.spec.nothing").succeeded))
            try await mesh.deleteNamespaces(Self.space)
        }

        @Test(arguments: KubectlTests.binaries)
        func rollsOutBackAndCascades(_ binary: String) async throws {
            let mesh = try await LocalMesh.shared()
            try await prepare(mesh)
            func run(_ arguments: String...) async throws -> String {
                try await mesh.kubectl(["-n", Self.space] + arguments, binary: binary).checked().out
            }
            let image = "jsonpath={.spec.template.spec.containers[0].image}"
            _ = try await run("set", "image", "deploy/web", "hello=nginx")
            _ = try await run("rollout", "status", "deploy/web", "--timeout=60s")
            #expect(try await run("rollout", "history", "deploy/web").contains("\n2 "))
            #expect(try await run("rollout", "history", "deploy/web", "--revision=1").contains("nginxdemos/hello"))
            _ = try await run("rollout", "undo", "deploy/web")
            _ = try await run("rollout", "status", "deploy/web", "--timeout=60s")
            #expect(try await run("get", "deploy", "web", "-o", image) == "nginxdemos/hello")
            _ = try await run("rollout", "pause", "deploy/web")
            _ = try await run("set", "image", "deploy/web", "hello=nginx")
            let sets = try await run("get", "rs", "-l", "app=web", "-o", "name").split(separator: "\n").count
            #expect(sets == 2)
            _ = try await run("rollout", "resume", "deploy/web")
            _ = try await run("rollout", "restart", "deploy/web")
            _ = try await run("rollout", "status", "deploy/web", "--timeout=60s")
            #expect(try await run("get", "deploy", "web", "-o", image) == "nginx")
            #expect(
                try await run("logs", "-l", "app=web", "--prefix", "--all-containers", "--tail=1", "--ignore-errors")
                    .split(separator: "\n").allSatisfy { $0.hasPrefix("[pod/web-") })

            // Orphans stay, dependents of a foreground deletion go first.
            _ = try await run("delete", "deploy", "web", "--cascade=orphan")
            #expect(try await run("get", "rs", "-o", "name").contains("replicaset.apps/web-"))
            #expect(try await run("get", "pods", "-o", "name").contains("pod/web-"))
            _ = try await run("delete", "rs", "--all", "--cascade=foreground", "--timeout=60s")
            try await eventually("the pods of the replica sets are gone") {
                try await run("get", "pods", "-o", "name").isEmpty ? true : nil
            }
            try await mesh.deleteNamespaces(Self.space)
        }

        /// The control plane works with what its manifests grant, and a pod's account may do nothing more.
        @Test func accountsMayDoWhatTheirRolesGrant() async throws {
            let mesh = try await LocalMesh.shared()
            let account = "--as=system:serviceaccount:istio-system:istiod"
            func mayI(_ words: String..., as user: String = account) async throws -> String {
                try await mesh.kubectl(["auth", "can-i"] + words + [user]).out
            }
            #expect(try await mayI("list", "virtualservices", "-A") == "yes\n")
            #expect(try await mayI("create", "secrets", "-n", "istio-system") == "yes\n")
            #expect(try await mayI("create", "secrets", "-n", "bookinfo") == "no\n")
            #expect(try await mayI("delete", "pods", "-n", "bookinfo") == "no\n")
            let other = "--as=system:serviceaccount:bookinfo:bookinfo-details"
            #expect(try await mayI("get", "secrets", "-n", "bookinfo", as: other) == "no\n")
            let log = try await mesh.kubectl("logs", "-n", "istio-system", "-l", "app=istiod", "--tail=-1").checked()
                .out
            #expect(!log.contains("is forbidden"), "\(log.split(separator: "\n").filter { $0.contains("forbidden") })")
        }
    }
}
