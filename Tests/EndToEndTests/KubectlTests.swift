import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// The verbs of the issue's list, with the kubectl on the PATH and the newest one.
    @Suite(.serialized) struct KubectlTests {
        static let binaries = ["kubectl", LocalMesh.tools + "/kubectl/bin/kubectl"]

        @Test(arguments: binaries)
        func verbs(_ binary: String) async throws {
            let mesh = try await LocalMesh.shared()
            try await mesh.deleteNamespaces("verbs")
            func run(_ arguments: String..., input: String = "") async throws -> String {
                try await mesh.kubectl(arguments, binary: binary, input: input).checked().out
            }
            #expect(try await run("version").contains("Server Version: v1."))
            #expect(try await run("api-resources").contains("virtualservices"))
            _ = try await run("create", "namespace", "verbs")
            _ = try await run(
                "apply", "-f", "-", input: Manifests.hello(name: "web", app: "web", version: "v1", namespace: "verbs"))
            _ = try await run("apply", "-f", "-", input: Manifests.service(name: "web", port: 80, namespace: "verbs"))
            #expect(
                try await run("rollout", "status", "-n", "verbs", "deployment/web", "--timeout=60s").contains(
                    "successfully rolled out"))
            #expect(try await run("get", "deploy", "-n", "verbs").contains("1/1"))
            #expect(try await run("get", "pods", "-n", "verbs", "-o", "wide").contains("10.244."))
            #expect(try await run("get", "pods", "-A").contains("istio-system"))
            #expect(try await run("get", "deploy", "web", "-n", "verbs", "-o", "name") == "deployment.apps/web\n")
            #expect(try await run("get", "deploy", "web", "-n", "verbs", "-o", "yaml").contains("apiVersion: apps/v1"))
            #expect(
                try await run("get", "svc", "web", "-n", "verbs", "-o", "jsonpath={.spec.clusterIP}").hasPrefix("10."))
            _ = try await run("scale", "-n", "verbs", "deployment/web", "--replicas=3")
            _ = try await run(
                "wait", "-n", "verbs", "deployment/web", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=60s")
            #expect(
                try await run(
                    "get", "endpointslices", "-n", "verbs", "-l", "kubernetes.io/service-name=web", "-o",
                    "jsonpath={.items[0].endpoints[*].addresses[0]}"
                ).split(separator: " ").count == 3)
            _ = try await run("scale", "-n", "verbs", "deployment/web", "--replicas=1")
            _ = try await run("label", "-n", "verbs", "deployment/web", "team=a")
            #expect(try await run("get", "deploy", "-n", "verbs", "-l", "team in (a,b)", "-o", "name").contains("web"))
            _ = try await run("annotate", "-n", "verbs", "deployment/web", "note=hello")
            _ = try await run(
                "patch", "-n", "verbs", "deployment", "web", "-p",
                #"{"spec":{"template":{"spec":{"containers":[{"name":"hello","env":[{"name":"A","value":"b"}]}]}}}}"#)
            #expect(
                try await run(
                    "get", "deploy", "web", "-n", "verbs", "-o",
                    "jsonpath={.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[0].value}"
                ) == "nginxdemos/hello b")
            _ = try await run("rollout", "restart", "-n", "verbs", "deployment/web")
            _ = try await run("rollout", "status", "-n", "verbs", "deployment/web", "--timeout=60s")
            #expect(try await run("exec", "-n", "verbs", "deploy/web", "--", "echo", "hello there") == "hello there\n")
            #expect(
                try await run("exec", "-i", "-n", "verbs", "deploy/web", "--", "cat", input: "through stdin\n")
                    == "through stdin\n")
            #expect(try await run("describe", "deployment", "web", "-n", "verbs").contains("RollingUpdate"))
            // Events are recorded beside the pod's status, so they may come a moment after it.
            try await eventually("events in kubectl describe") {
                let described = try await run("describe", "pods", "-n", "verbs", "-l", "app=web")
                return described.contains("Started container") ? true : nil
            }
            _ = try await run("delete", "deployment", "web", "-n", "verbs")
            try await eventually("garbage collection of the pods") {
                try await mesh.pods(namespace: "verbs").isEmpty ? true : nil
            }
            _ = try await run("delete", "namespace", "verbs", "--timeout=60s")
        }

        @Test func serverSideApplyKeepsOthersFields() async throws {
            let mesh = try await LocalMesh.shared()
            let manifest =
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared, namespace: default}\ndata: {a: one}\n"
            try await mesh.kubectl(
                "apply", "--server-side", "--field-manager=one", "-f", "-", input: manifest
            ).checked()
            try await mesh.kubectl(
                "apply", "--server-side", "--field-manager=two", "-f", "-",
                input: manifest.replacingOccurrences(of: "a: one", with: "b: two")
            ).checked()
            let conflict = try await mesh.kubectl(
                "apply", "--server-side", "--field-manager=two", "-f", "-",
                input: manifest.replacingOccurrences(of: "a: one", with: "a: mine"))
            #expect(!conflict.succeeded)
            #expect(conflict.err.contains("conflict"), "\(conflict)")
            let data = try await mesh.kubectl("get", "configmap", "shared", "-o", "jsonpath={.data}").checked().out
            #expect(data == #"{"a":"one","b":"two"}"#)
            try await mesh.kubectl("delete", "configmap", "shared").checked()
        }

        @Test func watchSeesChanges() async throws {
            let mesh = try await LocalMesh.shared()
            try await mesh.kubectl("delete", "configmap", "watched", "--ignore-not-found").checked()
            async let watching = mesh.kubectl(
                "get", "configmaps", "--watch-only", "--output-watch-events", "--field-selector=metadata.name=watched",
                "--request-timeout=6s", timeout: 15)
            try await Task.sleep(for: .seconds(2))
            try await mesh.kubectl("create", "configmap", "watched", "--from-literal=a=b").checked()
            try await mesh.kubectl("label", "configmap", "watched", "x=y").checked()
            try await mesh.kubectl("delete", "configmap", "watched").checked()
            let seen = try await watching.out
            for event in ["ADDED", "MODIFIED", "DELETED"] { #expect(seen.contains(event), "\(seen)") }
        }

        @Test func logsFollowAndSelect() async throws {
            let mesh = try await LocalMesh.shared()
            try await mesh.kubectl("delete", "pod", "talker", "--ignore-not-found", "--now").checked()
            try await mesh.kubectl(
                "run", "talker", "--image=curlimages/curl", "--labels=role=talker", "--command", "--", "sh", "-c",
                "for i in 1 2 3; do echo line $i; sleep 1; done; sleep 600"
            ).checked()
            try await mesh.kubectl("wait", "--for=condition=Ready", "pod/talker", "--timeout=30s").checked()
            let followed = try await mesh.kubectl("logs", "-f", "talker", timeout: 6)
            #expect(followed.out.contains("line 1\nline 2\nline 3\n"), "\(followed)")
            let selected = try await mesh.kubectl("logs", "-l", "role=talker", "--tail=1").checked()
            #expect(selected.out == "line 3\n")
            let container = try await mesh.kubectl("logs", "-n", "bookinfo", "deploy/details-v1", "-c", "istio-proxy")
                .checked()
            #expect(!container.out.isEmpty)
            try await mesh.kubectl("delete", "pod", "talker", "--now").checked()
        }

        @Test func staleWritesConflict() async throws {
            let mesh = try await LocalMesh.shared()
            try await mesh.kubectl("create", "configmap", "raced", "--from-literal=a=1").checked()
            let stale = try await mesh.kubectl("get", "configmap", "raced", "-o", "yaml").checked().out
            try await mesh.kubectl("label", "configmap", "raced", "x=y").checked()
            let result = try await mesh.kubectl("replace", "-f", "-", input: stale)
            #expect(result.err.contains("the object has been modified"), "\(result)")
            try await mesh.kubectl("delete", "configmap", "raced").checked()
        }
    }
}
