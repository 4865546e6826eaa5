import Foundation
import Testing
import WeftAPIServer

/// A server on a free port with its state in a temporary folder, and the real kubectl against it.
struct Cluster {
    var home: String
    var api: LocalAPI
    /// Which kubectl is run: a name on the path or a file.
    var binary = "kubectl"

    struct Output {
        var text: String
        var errors: String
        var code: Int32
    }

    /// Runs kubectl with `input` as its standard input.
    func kubectl(_ arguments: String..., input: String = "") throws -> Output { try run(arguments, input: input) }

    func run(_ arguments: [String], input: String = "") throws -> Output {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [binary, "--kubeconfig", "\(home)/kubeconfig", "--cache-dir", "\(home)/cache"] + arguments
        let file = "\(home)/\(UUID().uuidString)"
        for (suffix, text) in [("in", input), ("out", ""), ("err", "")] {
            try text.write(toFile: "\(file).\(suffix)", atomically: false, encoding: .utf8)
        }
        process.standardInput = FileHandle(forReadingAtPath: "\(file).in")
        process.standardOutput = FileHandle(forWritingAtPath: "\(file).out")
        process.standardError = FileHandle(forWritingAtPath: "\(file).err")
        try process.run()
        process.waitUntilExit()
        return Output(
            text: try String(contentsOfFile: "\(file).out", encoding: .utf8),
            errors: try String(contentsOfFile: "\(file).err", encoding: .utf8), code: process.terminationStatus)
    }

    static func run(binary: String = "kubectl", _ body: @escaping @Sendable (Cluster) async throws -> Void) async throws
    {
        let home = NSTemporaryDirectory() + "weft-api-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: home) }
        try await run(home: home, binary: binary, body)
    }

    /// Runs a server on the state in `home`, which stays.
    static func run(home: String, binary: String, _ body: @escaping @Sendable (Cluster) async throws -> Void)
        async throws
    {
        let server = try APIServer(
            .init(
                stateDirectory: home + "/state", pkiDirectory: home + "/pki",
                listeners: [.address(host: "127.0.0.1", port: 0)]))
        let (ready, signal) = AsyncStream.makeStream(of: String.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run { signal.yield($0[0]) } }
            var addresses = ready.makeAsyncIterator()
            let address = try #require(await addresses.next())
            try server.writeKubeconfig(to: home + "/kubeconfig", server: "https://\(address)")
            try await body(Cluster(home: home, api: server.api, binary: binary))
            group.cancelAll()
        }
    }
}

private let deployment = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web, labels: {app: web}}
    spec:
      replicas: 2
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
          - name: web
            image: nginx:1
            ports: [{containerPort: 80}]
    """

@Suite(.serialized) struct KubectlTests {
    @Test func appliesPatchesScalesAndDeletes() async throws {
        try await Cluster.run { cluster in
            let version = try cluster.kubectl("version")
            #expect(version.text.contains("Server Version: v1.32.0+weft"), "\(version)")
            #expect(try cluster.kubectl("api-resources").text.contains("deployments"))
            let first = try cluster.kubectl("apply", "-f", "-", input: deployment)
            #expect(first.text == "deployment.apps/web created\n", "\(first)")
            #expect(
                try cluster.kubectl("apply", "-f", "-", input: deployment).text == "deployment.apps/web unchanged\n")
            let changed = deployment.replacingOccurrences(of: "nginx:1", with: "nginx:2")
            #expect(try cluster.kubectl("apply", "-f", "-", input: changed).text == "deployment.apps/web configured\n")
            let image = try cluster.kubectl(
                "get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[*].image}")
            #expect(image.text == "nginx:2")
            #expect(try cluster.kubectl("scale", "deploy/web", "--replicas=3").code == 0)
            let table = try cluster.kubectl("get", "deploy", "-A", "-l", "app in (web)", "-o", "wide")
            #expect(
                table.text.contains("READY") && table.text.contains("0/3") && table.text.contains("app=web"), "\(table)"
            )
            #expect(try cluster.kubectl("label", "deploy", "web", "tier=front").code == 0)
            #expect(try cluster.kubectl("annotate", "deploy", "web", "note=x").code == 0)
            #expect(try cluster.kubectl("rollout", "restart", "deploy/web").code == 0)
            #expect(try cluster.kubectl("describe", "deploy", "web").text.contains("Pod Template"))
            let applied = try cluster.kubectl("apply", "--server-side", "-f", "-", input: deployment)
            #expect(applied.errors.contains("conflict"), "\(applied)")
            let forced = try cluster.kubectl(
                "apply", "--server-side", "--force-conflicts", "-f", "-", input: deployment)
            #expect(forced.text.contains("serverside-applied"), "\(forced)")
            #expect(try cluster.kubectl("delete", "deploy", "web").text.contains("deleted"))
            #expect(try cluster.kubectl("get", "deploy", "web").errors.contains("\"web\" not found"))
            let namespace = try cluster.kubectl("create", "namespace", "dev")
            #expect(namespace.code == 0, "\(namespace)")
            #expect(try cluster.kubectl("-n", "dev", "create", "configmap", "c", "--from-literal=a=b").code == 0)
            #expect(try cluster.kubectl("delete", "namespace", "dev", "--timeout=10s").code == 0)
            #expect(try cluster.kubectl("auth", "whoami").text.contains("kubernetes-admin"))
        }
    }

    @Test func refusesBadInput() async throws {
        try await Cluster.run { cluster in
            let unknown = deployment.replacingOccurrences(of: "replicas: 2", with: "replicas: 2\n  foo: 1")
            let strict = try cluster.kubectl("apply", "-f", "-", input: unknown)
            #expect(strict.errors.contains("strict decoding error: unknown field \"spec.foo\""), "\(strict)")
            let typed = deployment.replacingOccurrences(of: "replicas: 2", with: "replicas: two")
            let wrong = try cluster.kubectl("apply", "-f", "-", input: typed)
            #expect(
                wrong.errors.contains("cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas"),
                "\(wrong)")
            let version = deployment.replacingOccurrences(of: "apps/v1", with: "apps/v9")
            let unserved = try cluster.kubectl("apply", "-f", "-", input: version)
            #expect(
                unserved.errors.contains("no matches for kind \"Deployment\" in version \"apps/v9\""), "\(unserved)")
            let malformed = try cluster.kubectl("apply", "-f", "-", input: "a: [1")
            #expect(malformed.code != 0)
            let selector = deployment.replacingOccurrences(
                of: "labels: {app: web}}\n    spec", with: "labels: {app: other}}\n    spec")
            let mismatch = try cluster.kubectl("apply", "-f", "-", input: selector)
            #expect(mismatch.errors.contains("`selector` does not match template `labels`"), "\(mismatch)")
            let big =
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata:\n  x: "
                + String(repeating: "a", count: 5 << 20)
            let large = try cluster.kubectl("create", "-f", "-", input: big)
            #expect(large.errors.contains("Request entity too large"), "\(large.errors.prefix(400))")
        }
    }

    @Test(arguments: ["Fail", "Ignore"])
    func webhookThatIsDown(policy: String) async throws {
        try await Cluster.run { cluster in
            let hook = """
                apiVersion: admissionregistration.k8s.io/v1
                kind: ValidatingWebhookConfiguration
                metadata: {name: down}
                webhooks:
                - name: down.example.com
                  clientConfig: {service: {name: none, namespace: default, path: /v}}
                  rules: [{operations: ["*"], apiGroups: [""], apiVersions: [v1], resources: [configmaps]}]
                  failurePolicy: \(policy)
                  sideEffects: None
                  admissionReviewVersions: [v1]
                """
            let made = try cluster.kubectl("apply", "-f", "-", input: hook)
            #expect(made.code == 0, "\(made)")
            let result = try cluster.kubectl("create", "configmap", "x", "--from-literal=a=b")
            if policy == "Ignore" {
                #expect(result.code == 0, "\(result)")
            } else {
                #expect(
                    result.errors.contains("Internal error occurred: failed calling webhook \"down.example.com\""),
                    "\(result)")
            }
        }
    }

    @Test func customResources() async throws {
        try await Cluster.run { cluster in
            let definition = """
                apiVersion: apiextensions.k8s.io/v1
                kind: CustomResourceDefinition
                metadata: {name: widgets.example.com}
                spec:
                  group: example.com
                  scope: Namespaced
                  names: {plural: widgets, kind: Widget, shortNames: [wd]}
                  versions:
                  - name: v1
                    served: true
                    storage: true
                    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
                    schema:
                      openAPIV3Schema:
                        type: object
                        properties:
                          spec:
                            type: object
                            required: [size]
                            properties: {size: {type: integer, minimum: 1}, color: {type: string, default: red}}
                """
            let made = try cluster.kubectl("apply", "-f", "-", input: definition)
            #expect(made.code == 0, "\(made)")
            #expect(try cluster.kubectl("wait", "--for=condition=Established", "crd/widgets.example.com").code == 0)
            let widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 3}\n"
            let created = try cluster.kubectl("apply", "-f", "-", input: widget)
            #expect(created.code == 0, "\(created)")
            let table = try cluster.kubectl("get", "wd")
            #expect(table.text.contains("SIZE") && table.text.contains("3"), "\(table)")
            #expect(try cluster.kubectl("get", "wd", "w", "-o", "jsonpath={.spec.color}").text == "red")
            let bad = try cluster.kubectl("apply", "-f", "-", input: widget.replacingOccurrences(of: "3", with: "-1"))
            #expect(bad.errors.contains("should be greater than or equal to 1"), "\(bad)")
            let unknown = try cluster.kubectl(
                "apply", "-f", "-", input: widget.replacingOccurrences(of: "size: 3", with: "size: 3, x: 1"))
            #expect(unknown.errors.contains("unknown field \"spec.x\""), "\(unknown)")
            #expect(try cluster.kubectl("explain", "widget.spec").text.contains("size"))
            #expect(try cluster.kubectl("delete", "crd", "widgets.example.com", "--timeout=10s").code == 0)
        }
    }
}
