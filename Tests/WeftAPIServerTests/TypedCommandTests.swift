import Foundation
import Testing
import WeftAPIServer
import WeftConfig
import WeftCore

/// The kubectl of the machine and, where it is installed, the newest.
let kubectls: [String] = {
    let newest = #filePath.components(separatedBy: "/Tests/")[0] + "/.build-tools/kubectl/bin/kubectl"
    return ["kubectl"] + (FileManager.default.isExecutableFile(atPath: newest) ? [newest] : [])
}()

/// Commands whose bodies kubectl sends as protobuf, and what follows from them. In the suite that runs one test at a time,
/// as waiting for kubectl holds a thread that the server in the same process needs.
extension KubectlTests {
    @Test(arguments: kubectls) func createsWithTypedBodies(binary: String) async throws {
        try await Cluster.run(binary: binary) { cluster in
            let commands: [[String]] = [
                ["namespace", "dev"], ["configmap", "c", "--from-literal=a=b", "--from-literal=empty="],
                ["secret", "generic", "s", "--from-literal=k=v"], ["serviceaccount", "robot"],
                ["deployment", "web", "--image=nginx:1", "--replicas=0", "--port=80"],
                ["service", "clusterip", "web", "--tcp=80:8080"],
                ["role", "r", "--verb=get", "--resource=pods"],
                ["rolebinding", "rb", "--role=r", "--serviceaccount=default:robot"],
                ["clusterrole", "cr", "--verb=get", "--resource=nodes"],
                ["clusterrolebinding", "crb", "--clusterrole=cr", "--user=u"],
                ["job", "j", "--image=busybox", "--", "true"],
                ["cronjob", "cj", "--image=busybox", "--schedule=* * * * *"], ["quota", "q", "--hard=cpu=1"],
                ["ingress", "i", "--rule=a.b/*=web:80"], ["priorityclass", "p", "--value=7"],
                ["poddisruptionbudget", "pdb", "--selector=app=web", "--min-available=1"],
            ]
            for command in commands {
                let made = try cluster.run(["create"] + command)
                #expect(made.code == 0, "\(command): \(made)")
            }
            #expect(try cluster.kubectl("get", "cm", "c", "-o", "jsonpath={.data}").text == #"{"a":"b","empty":""}"#)
            #expect(try cluster.kubectl("get", "secret", "s", "-o", "jsonpath={.data.k}").text == "dg==")
            let web = try cluster.kubectl(
                "get", "deploy", "web", "-o",
                "jsonpath={.spec.replicas} {.spec.selector.matchLabels.app} {.spec.template.spec.containers[0].ports[0].containerPort}"
            )
            #expect(web.text == "0 web 80", "\(web)")
            let service = try cluster.kubectl(
                "get", "svc", "web", "-o", "jsonpath={.spec.ports[0].targetPort} {.spec.selector.app}")
            #expect(service.text == "8080 web", "\(service)")
            let pdb = try cluster.kubectl("get", "pdb", "pdb", "-o", "jsonpath={.spec.minAvailable}")
            #expect(pdb.text == "1", "\(pdb)")
            #expect(try cluster.kubectl("auth", "whoami").text.contains("kubernetes-admin"))
            #expect(try cluster.kubectl("auth", "can-i", "create", "pods").text == "yes\n")
            #expect(try cluster.kubectl("scale", "deploy/web", "--replicas=4").code == 0)
            #expect(try cluster.kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}").text == "4")
        }
    }

    @Test(arguments: kubectls) func tokensAreIssuedAndReviewed(binary: String) async throws {
        try await Cluster.run(binary: binary) { cluster in
            #expect(try cluster.kubectl("create", "serviceaccount", "robot").code == 0)
            let token = try cluster.kubectl("create", "token", "robot", "--audience=istio-ca", "--duration=20m")
            #expect(token.code == 0 && token.text.split(separator: ".").count == 3, "\(token)")
            let text = token.text.trimmingCharacters(in: .whitespacesAndNewlines)
            let review = { (token: String, audience: String) in
                let body = """
                    {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                     "spec": {"token": "\(token)", "audiences": ["\(audience)"]}}
                    """
                return try cluster.kubectl(
                    "create", "-f", "-", "-o", "jsonpath={.status.authenticated} {.status.user.username}", input: body
                ).text
            }
            #expect(try review(text, "istio-ca") == "true system:serviceaccount:default:robot")
            #expect(try review(text, "other").hasPrefix("false"))
            #expect(try review(text + "x", "istio-ca").hasPrefix("false"))
            #expect(try cluster.kubectl("delete", "serviceaccount", "robot").code == 0)
            #expect(try review(text, "istio-ca").hasPrefix("false"))
        }
    }

    @Test(arguments: kubectls) func namespaceTakesItsContentAlong(binary: String) async throws {
        try await Cluster.run(binary: binary) { cluster in
            #expect(try cluster.kubectl("create", "namespace", "dev").code == 0)
            #expect(try cluster.kubectl("-n", "dev", "create", "configmap", "c", "--from-literal=a=b").code == 0)
            let finalizer = #"{"metadata":{"finalizers":["example.com/keep"]}}"#
            #expect(try cluster.kubectl("-n", "dev", "patch", "cm", "c", "--type=merge", "-p", finalizer).code == 0)
            #expect(try cluster.kubectl("delete", "namespace", "dev", "--wait=false").code == 0)
            let late = try cluster.kubectl("-n", "dev", "create", "configmap", "d")
            #expect(late.errors.contains("because it is being terminated"), "\(late)")
            let phase = try cluster.kubectl(
                "wait", "--for=jsonpath={.status.phase}=Terminating", "ns/dev", "--timeout=5s")
            #expect(phase.code == 0, "\(phase)")
            let kept = try cluster.kubectl(
                "-n", "dev", "get", "cm", "c", "-o", "jsonpath={.metadata.deletionTimestamp}")
            #expect(!kept.text.isEmpty, "\(kept)")
            let free = #"{"metadata":{"finalizers":null}}"#
            #expect(try cluster.kubectl("-n", "dev", "patch", "cm", "c", "--type=merge", "-p", free).code == 0)
            let gone = try cluster.kubectl("wait", "--for=delete", "ns/dev", "--timeout=10s")
            #expect(gone.code == 0, "\(gone)")
            #expect(try cluster.kubectl("-n", "dev", "get", "cm", "c").errors.contains("not found"))
        }
    }

    @Test(arguments: kubectls) func watchAndEviction(binary: String) async throws {
        try await Cluster.run(binary: binary) { cluster in
            let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: nginx}]}\n"
            let made = try cluster.kubectl("apply", "-f", "-", input: pod)
            #expect(made.text == "pod/p created\n", "\(made)")
            let again = try cluster.kubectl("apply", "-f", "-", input: pod)
            #expect(again.text == "pod/p unchanged\n", "\(again)")
            async let watched = cluster.watch("get", "pods", "-w", "--no-headers", "-L", "round")
            try await Task.sleep(for: .seconds(2))
            #expect(try cluster.kubectl("label", "pod", "p", "round=two").code == 0)
            let eviction =
                #"{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p","namespace":"default"}}"#
            let evicted = try cluster.kubectl(
                "create", "--raw", "/api/v1/namespaces/default/pods/p/eviction", "-f", "-", input: eviction)
            #expect(evicted.code == 0, "\(evicted)")
            let lines = try await watched.split(separator: "\n")
            #expect(lines.count >= 2 && lines.contains { $0.contains("two") }, "\(lines)")
        }
    }

    @Test func stateOutlivesTheServer() async throws {
        let home = NSTemporaryDirectory() + "weft-api-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: home) }
        try await Cluster.run(home: home, binary: "kubectl") { cluster in
            let made = try cluster.kubectl("create", "configmap", "c", "--from-literal=a=b")
            #expect(made.code == 0, "\(made)")
            #expect(try cluster.kubectl("create", "configmap", "d").code == 0)
            #expect(try cluster.kubectl("delete", "configmap", "d").code == 0)
        }
        try await Cluster.run(home: home, binary: "kubectl") { cluster in
            #expect(try cluster.kubectl("get", "cm", "c", "-o", "jsonpath={.data.a}").text == "b")
            #expect(try cluster.kubectl("get", "cm", "d").errors.contains("not found"))
            let version = try cluster.kubectl("get", "cm", "c", "-o", "jsonpath={.metadata.resourceVersion}").text
            #expect(try cluster.kubectl("label", "cm", "c", "x=y").code == 0)
            let next = try cluster.kubectl("get", "cm", "c", "-o", "jsonpath={.metadata.resourceVersion}").text
            let (earlier, later) = (try #require(Int(version)), try #require(Int(next)))
            #expect(later > earlier)
        }
    }
}

extension Cluster {
    /// Runs kubectl for six seconds and gives what it wrote until then.
    func watch(_ arguments: String...) async throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [binary, "--kubeconfig", "\(home)/kubeconfig", "--cache-dir", "\(home)/cache"] + arguments
        let path = "\(home)/\(UUID().uuidString).watch"
        try "".write(toFile: path, atomically: false, encoding: .utf8)
        process.standardOutput = FileHandle(forWritingAtPath: path)
        try process.run()
        try await Task.sleep(for: .seconds(6))
        process.terminate()
        process.waitUntilExit()
        return try String(contentsOfFile: path, encoding: .utf8)
    }
}
