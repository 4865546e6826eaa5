import Foundation
import Testing
import WeftConfig
import WeftCore

@testable import WeftAPIServer

/// RBAC as kubectl sees it: `--as` speaks for a service account, whose roles decide.
@Suite(.serialized) struct AccessControlTests {
    private static let roles = """
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: reader, namespace: default}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: reader, namespace: default}
        rules:
        - {apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}
        - {apiGroups: [""], resources: [secrets], resourceNames: [mine], verbs: [get]}
        - {apiGroups: [""], resources: [pods/log], verbs: [get]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: reader, namespace: default}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
        subjects: [{kind: ServiceAccount, name: reader}]
        """
    private static let account = "system:serviceaccount:default:reader"

    /// One question and the answer that the roles above give.
    struct Question: CustomTestStringConvertible, Sendable {
        var words: [String]
        var allowed: Bool
        var testDescription: String { "\(words.joined(separator: " ")): \(allowed ? "yes" : "no")" }
    }

    private static let questions = [
        Question(words: ["list", "configmaps"], allowed: true),
        Question(words: ["watch", "configmaps"], allowed: true),
        Question(words: ["create", "configmaps"], allowed: false),
        Question(words: ["list", "configmaps", "-A"], allowed: false),
        Question(words: ["list", "configmaps", "-n", "kube-system"], allowed: false),
        Question(words: ["get", "secrets/mine"], allowed: true),
        Question(words: ["get", "secrets/other"], allowed: false),
        Question(words: ["list", "secrets"], allowed: false),
        Question(words: ["get", "pods", "--subresource=log"], allowed: true),
        Question(words: ["get", "pods"], allowed: false),
        Question(words: ["get", "/apis"], allowed: true),
        Question(words: ["get", "/metrics"], allowed: false),
        Question(words: ["create", "selfsubjectaccessreviews.authorization.k8s.io"], allowed: true),
    ]

    @Test func answersCanI() async throws {
        try await Cluster.run { cluster in
            #expect(try cluster.kubectl("apply", "-f", "-", input: Self.roles).code == 0)
            for question in Self.questions {
                let answer = try cluster.run(["auth", "can-i"] + question.words + ["--as", Self.account])
                #expect(answer.text == (question.allowed ? "yes\n" : "no\n"), "\(question.testDescription): \(answer)")
            }
            #expect(try cluster.kubectl("auth", "can-i", "*", "*", "-A").text == "yes\n")
            let list = try cluster.kubectl("auth", "can-i", "--list", "--as", Self.account)
            #expect(list.text.contains("configmaps") && list.text.contains("[mine]"), "\(list)")
        }
    }

    @Test func refusesInKubernetesWords() async throws {
        try await Cluster.run { cluster in
            #expect(try cluster.kubectl("apply", "-f", "-", input: Self.roles).code == 0)
            #expect(try cluster.kubectl("get", "configmaps", "--as", Self.account).code == 0)
            let pods = try cluster.kubectl("get", "pods", "--as", Self.account)
            #expect(
                pods.errors.contains(
                    #"pods is forbidden: User "\#(Self.account)" cannot list resource "pods" in API group "" in the namespace "default""#
                ), "\(pods)")
            let nodes = try cluster.kubectl("get", "nodes", "--as", Self.account)
            #expect(nodes.errors.contains("at the cluster scope"), "\(nodes)")
            // Server-side apply creates: the verb patch alone is not enough.
            let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made, namespace: default}\n"
            let patcher = try cluster.kubectl(
                "create", "role", "patcher", "--verb=patch,get", "--resource=configmaps")
            #expect(patcher.code == 0)
            #expect(
                try cluster.kubectl("create", "rolebinding", "patcher", "--role=patcher", "--user=dora").code == 0)
            let applied = try cluster.kubectl("apply", "--server-side", "-f", "-", "--as=dora", input: manifest)
            #expect(applied.errors.contains("cannot create resource \"configmaps\""), "\(applied)")
            #expect(try cluster.kubectl("get", "configmap", "made").errors.contains("not found"))
        }
    }

    @Test func nobodyHandsOutMoreThanHeHas() async throws {
        try await Cluster.run { cluster in
            #expect(
                try cluster.kubectl("create", "rolebinding", "chief", "--clusterrole=admin", "--user=dora").code == 0)
            let within = try cluster.kubectl(
                "create", "role", "small", "--verb=get", "--resource=pods", "--as=dora")
            #expect(within.code == 0, "\(within)")
            let beyond = try cluster.kubectl(
                "create", "role", "large", "--verb=get", "--resource=widgets.example.com", "--as=dora")
            #expect(
                beyond.errors.contains("attempting to grant RBAC permissions not currently held")
                    || beyond.errors.contains("doesn't have a resource type"), "\(beyond)")
            let bound = try cluster.kubectl(
                "create", "rolebinding", "all", "--clusterrole=cluster-admin", "--user=dora", "--as=dora")
            #expect(bound.errors.contains("permissions not currently held"), "\(bound)")
            let other = try cluster.kubectl("get", "pods", "-n", "kube-system", "--as=dora")
            #expect(other.errors.contains("is forbidden"), "\(other)")
            let speaking = try cluster.kubectl("get", "pods", "--as=dora", "--as-group=system:masters")
            #expect(speaking.code == 0, "\(speaking)")
        }
    }

    /// A token dies with its account, at the next request.
    @Test func tokensDieWithTheirAccount() async throws {
        try await Cluster.run { cluster in
            #expect(try cluster.kubectl("apply", "-f", "-", input: Self.roles).code == 0)
            let token = try cluster.kubectl("create", "token", "reader").text
                .trimmingCharacters(in: .whitespacesAndNewlines)
            // A kubeconfig with the administrator's certificate would be asked first; this one has the token alone.
            let admin = try String(contentsOfFile: cluster.home + "/kubeconfig", encoding: .utf8)
            let lines = admin.split(separator: "\n").filter { !$0.contains("client-key-data") }
            let config = lines.map {
                $0.contains("client-certificate-data") ? "    token: \(token)" : String($0)
            }.joined(separator: "\n")
            let path = cluster.home + "/token.kubeconfig"
            try config.write(toFile: path, atomically: true, encoding: .utf8)
            func asAccount(_ words: String...) throws -> Cluster.Output {
                try cluster.run(["--kubeconfig", path] + words)
            }
            #expect(try asAccount("get", "configmaps").code == 0)
            #expect(try asAccount("get", "secrets").errors.contains("is forbidden"))
            #expect(try asAccount("get", "configmaps", "--as=dora").errors.contains("cannot impersonate"))
            #expect(try cluster.kubectl("delete", "serviceaccount", "reader").code == 0)
            #expect(try asAccount("get", "configmaps").errors.contains("Unauthorized"))
        }
    }

    @Test func watchesFromAnUnknownHistoryExpire() async throws {
        let home = NSTemporaryDirectory() + "weft-api-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: home) }
        let (before, signal) = AsyncStream.makeStream(of: String.self)
        try await Cluster.run(home: home, binary: "kubectl") { cluster in
            signal.yield(try await cluster.api.list(.configMaps).resourceVersion)
            #expect(try cluster.kubectl("create", "configmap", "later", "--from-literal=a=b").code == 0)
        }
        var versions = before.makeAsyncIterator()
        let old = try #require(await versions.next())
        try await Cluster.run(home: home, binary: "kubectl") { cluster in
            for version in [old, "999999"] {
                let answer = try cluster.kubectl(
                    "get", "--raw", "/api/v1/configmaps?watch=true&timeoutSeconds=1&resourceVersion=\(version)")
                #expect(answer.errors.contains("too old resource version"), "\(version): \(answer)")
            }
            let now = try await cluster.api.list(.configMaps).resourceVersion
            let fresh = try cluster.kubectl(
                "get", "--raw", "/api/v1/configmaps?watch=true&timeoutSeconds=1&resourceVersion=\(now)")
            #expect(fresh.code == 0 && !fresh.text.contains("ERROR"), "\(fresh)")
        }
    }
}
