import Testing
import WeftConfig
import WeftCore
import WeftTranslate
import WeftXDS

@testable import WeftControlPlane

@Suite struct ValidationReviewTests {
    private let review: JSONValue = [
        "request": [
            "uid": "u1", "operation": "CREATE", "object": ["kind": "VirtualService", "metadata": ["name": "a"]],
        ]
    ]

    @Test func refusesWithFieldAndReason() {
        let (answer, allowed) = ValidationReview.answer(review) { _ in
            [Diagnostic(.error, code: "IST0106", path: "spec.http[0].route[1].weight", message: "weight -1 is below 0")]
        }
        #expect(!allowed)
        let response = answer["response"]
        #expect(response?["uid"]?.stringValue == "u1")
        #expect(response?["allowed"]?.boolValue == false)
        #expect(
            response?[path: "status", "message"]?.stringValue == "spec.http[0].route[1].weight: weight -1 is below 0")
        #expect(
            response?[path: "status", "details", "causes"]?[0]?["field"]?.stringValue == "spec.http[0].route[1].weight")
    }

    @Test func warnsAndTakes() {
        let (answer, allowed) = ValidationReview.answer(review) { _ in
            [Diagnostic(.warning, code: "IST0133", path: "spec", message: "odd", hint: "mend it")]
        }
        #expect(allowed)
        #expect(answer[path: "response", "warnings"] == ["spec: odd (mend it)"])
    }

    @Test func aReviewWithoutRequestIsRefused() {
        #expect(!ValidationReview.answer([:]) { _ in [] }.allowed)
    }
}

@Suite struct ObjectStatusTests {
    private func object(_ status: JSONValue? = nil) -> KubernetesObject {
        var json: JSONValue = [
            "kind": "VirtualService", "metadata": ["name": "a", "namespace": "dev", "generation": 3],
        ]
        json["status"] = status
        return KubernetesObject(json)
    }
    private let finding = Diagnostic(.error, code: "IST0101", path: "spec.http[0]", message: "no such host")

    private func made(
        _ object: KubernetesObject, _ findings: [Diagnostic] = [], _ progress: Distribution.Progress? = nil,
        withCounts: Bool = true, now: String
    ) -> JSONValue? {
        ObjectStatus.status(
            for: object, findings: findings, progress: progress, withCounts: withCounts, now: now)
    }

    @Test func everyObjectIsTold() throws {
        let status = try #require(made(object(), [], .init(confirmed: 2, concerned: 2), now: "t1"))
        let conditions = status["conditions"]?.arrayValue ?? []
        #expect(conditions.map { $0["type"]?.stringValue } == ["Accepted", "Reconciled"])
        #expect(conditions.map { $0["status"]?.stringValue } == ["True", "True"])
        #expect(conditions[1]["message"] == "2/2 proxies up to date.")
        #expect(status["observedGeneration"]?.intValue == 3)
        #expect(made(object(status), [], .init(confirmed: 2, concerned: 2), now: "t2") == nil)
    }

    /// A proxy that refuses what was made from an object is told of with its words, in every API's objects.
    @Test func aRefusalIsInTheCondition() throws {
        let object = object()
        let proxies = ["b", "a"].map { name in
            Distribution.Proxy(
                name: name, identity: ProxyIdentity(kind: .sidecar, address: "1", podName: name, namespace: "dev"),
                labels: [:], confirmed: name == "a" ? 5 : 4, isRejecting: name == "b")
        }
        var ledger = ObjectLedger()
        ledger.take([object], number: 5)
        let refusals = ["RDS resource 80 was refused by proxy b: no", "RDS resource 81 was refused"].map {
            Diagnostic(.error, code: "WEFT0001", resource: object.reference, message: $0)
        }
        func condition(_ refusals: [Diagnostic]) -> JSONValue? {
            Distribution(
                proxies: proxies, ledger: ledger, scope: ObjectScope(meshConfig: MeshConfig()), refusals: refusals
            ).progress(of: object).map(ObjectStatus.reconciliation)
        }
        #expect(condition(refusals) == condition(refusals.reversed()))
        #expect(condition(refusals)?["reason"] == "Refused")
        let text = "1/2 proxies up to date. Waiting for b (refuses it). RDS resource 80 was refused by proxy b: no"
        #expect(condition(refusals)?["message"]?.stringValue == text)
        #expect(condition([])?["reason"] == "Pending")
    }

    @Test func whatWeWroteIsNotWrittenAgain() throws {
        let status = try #require(made(object(), [finding], now: "t1"))
        #expect(status["conditions"]?[0]?["status"]?.stringValue == "False")
        #expect(status["conditions"]?[0]?["message"]?.stringValue == "IST0101: spec.http[0]: no such host")
        #expect(made(object(status), [finding], now: "t2") == nil)
    }

    /// Proxies come and go: that is no reason to write to every object.
    @Test func countsAloneWait() throws {
        let first = try #require(made(object(), [], .init(confirmed: 2, concerned: 2), now: "t1"))
        let more = Distribution.Progress(confirmed: 3, concerned: 3)
        #expect(made(object(first), [], more, withCounts: false, now: "t2") == nil)
        #expect(made(object(first), [], more, now: "t2") != nil)
        let behind = Distribution.Progress(confirmed: 2, concerned: 3, waiting: ["c.dev"])
        let pending = try #require(made(object(first), [], behind, withCounts: false, now: "t2"))
        #expect(pending["conditions"]?[1]?["status"] == "False")
        #expect(pending["conditions"]?[1]?["message"] == "2/3 proxies up to date. Waiting for c.dev.")
    }

    @Test func recoveryIsWrittenOnceAndOtherConditionsStay() throws {
        var status = try #require(made(object(), [finding], now: "t1"))
        status["conditions"] = .array((status["conditions"]?.arrayValue ?? []) + [["type": "Other", "status": "True"]])
        let healed = try #require(made(object(status), [], now: "t2"))
        #expect(healed["validationMessages"] == nil)
        let conditions = healed["conditions"]?.arrayValue ?? []
        #expect(conditions.map { $0["type"]?.stringValue } == ["Other", "Accepted"])
        #expect(conditions[1]["status"] == "True")
        #expect(conditions[1]["lastTransitionTime"] == "t2")
        #expect(made(object(healed), [], now: "t3") == nil)
    }
}

@Suite struct WebhookPatcherTests {
    @Test func onlyOurServiceGetsTheRoot() throws {
        let object = KubernetesObject([
            "kind": "MutatingWebhookConfiguration", "metadata": ["name": "x"],
            "webhooks": [
                [
                    "name": "a", "failurePolicy": "Ignore",
                    "clientConfig": ["service": ["namespace": "istio-system", "name": "istiod"]],
                ],
                ["name": "b", "clientConfig": ["service": ["namespace": "other", "name": "istiod"]]],
                ["name": "c", "clientConfig": ["url": "https://x"]],
                ["name": "d", "clientConfig": ["service": ["namespace": "istio-system", "name": "istiod-canary"]]],
            ],
        ])
        let patched = try #require(self.patched(object, isBinding: true))
        let webhooks = patched.json["webhooks"]?.arrayValue ?? []
        #expect(webhooks.map { $0[path: "clientConfig", "caBundle"]?.stringValue } == ["Qg==", nil, nil, nil])
        #expect(webhooks.map { $0["failurePolicy"]?.stringValue } == ["Ignore", nil, nil, nil])
        let canary = try #require(self.patched(object, service: "istiod-canary", isBinding: true))
        #expect(
            canary.json["webhooks"]?.arrayValue?.map { $0[path: "clientConfig", "caBundle"]?.stringValue }
                == [nil, nil, nil, "Qg=="])
        #expect(self.patched(patched, isBinding: true) == nil)
    }

    @Test func validationIsBindingOnceWeCanBeReached() throws {
        let object = KubernetesObject([
            "kind": "ValidatingWebhookConfiguration", "metadata": ["name": "x"],
            "webhooks": [
                [
                    "name": "a", "failurePolicy": "Ignore",
                    "clientConfig": ["service": ["namespace": "istio-system", "name": "istiod"]],
                ],
                ["name": "b", "failurePolicy": "Ignore", "clientConfig": ["url": "https://x"]],
            ],
        ])
        func policies(_ object: KubernetesObject) -> [String?] {
            (object.json["webhooks"]?.arrayValue ?? []).map { $0["failurePolicy"]?.stringValue }
        }
        let early = try #require(patched(object, isBinding: false))
        #expect(policies(early) == ["Ignore", "Ignore"])
        let late = try #require(patched(early, isBinding: true))
        #expect(policies(late) == ["Fail", "Ignore"])
        #expect(patched(late, isBinding: true) == nil)
    }

    private func patched(_ object: KubernetesObject, service: String = "istiod", isBinding: Bool) -> KubernetesObject? {
        WebhookPatcher.patched(
            object, caBundle: "Qg==", namespace: "istio-system", service: service, isBinding: isBinding)
    }
}

@Suite struct SyncTests {
    @Test func statusFollowsTheStream() {
        var sync = TypeSync()
        let start = ContinuousClock.now
        #expect(sync.status == "NOT SENT")
        sync.didSend("n1", at: start)
        #expect(sync.status == "STALE")
        #expect(sync.didAcknowledge("n1", at: start + .seconds(1)) == .seconds(1))
        #expect(sync.status == "SYNCED")
        sync.didSend("n2", at: start)
        #expect(sync.didAcknowledge("n1", at: start) == nil)
        #expect(sync.status == "STALE")
        sync.didReject("n2", "bad")
        #expect(sync.status == "REJECTED")
        sync.didSend("n3", at: start)
        #expect(sync.status == "STALE")
    }

    @Test func synczHasIstiosFields() {
        let report = ProxyReport(
            id: "sidecar~1~a.dev~dev.svc.cluster.local", name: "a", namespace: "dev", kind: "sidecar",
            userAgent: "weft-proxy",
            version: "0.1.0", types: [.cluster: TypeSync(sent: "n1", acked: "n1")], resources: [:], diagnostics: 0)
        let entry = DebugDocuments.syncz([report])[0]
        #expect(entry?["proxy"] == "a.dev")
        #expect(entry?["cluster_sent"] == "n1")
        #expect(entry?["cluster_acked"] == "n1")
        #expect(entry?["listener_sent"] == nil)
        #expect(entry?[path: "status", "CDS"] == "SYNCED")
        #expect(entry?[path: "status", "LDS"] == "NOT SENT")
    }

    @Test func aPodOfADeploymentBelongsToIt() {
        let pod = KubernetesObject([
            "kind": "Pod",
            "metadata": [
                "name": "backend-5f7d-abc", "namespace": "dev",
                "labels": ["pod-template-hash": "5f7d", "app": "backend"],
                "ownerReferences": [
                    [
                        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "backend-5f7d", "uid": "u",
                        "controller": true,
                    ]
                ],
            ], "spec": ["containers": [["name": "istio-proxy"]]],
        ])
        let service = KubernetesObject([
            "kind": "Service", "metadata": ["name": "api", "namespace": "dev"],
            "spec": ["selector": ["app": "backend"]],
        ])
        let document = WorkloadDocument.make(
            pods: [pod], services: [service], modes: PeerModes(snapshot: MeshSnapshot(objects: [])))
        #expect(document[0]?["mtls"] == ["mode": "PERMISSIVE"])
        #expect(document[0]?["name"] == "backend")
        #expect(document[0]?["meshed"] == 1)
        #expect(document[0]?["ready"] == 0)
        #expect(document[0]?["services"] == ["api"])
    }

    /// The workload's own policy wins over its namespace's, and its ports over itself.
    @Test(arguments: [
        ("backend", #"{"mode":"DISABLE","ports":{"8443":"STRICT"},"source":"dev/backend"}"#),
        ("other", #"{"mode":"STRICT","source":"dev/default"}"#),
    ])
    func workloadsTellWhichTLSTheyAskFor(_ app: String, _ expected: String) throws {
        func policy(_ name: String, _ spec: JSONValue) -> KubernetesObject {
            KubernetesObject([
                "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
                "metadata": ["name": .string(name), "namespace": "dev"], "spec": spec,
            ])
        }
        let snapshot = MeshSnapshot(objects: [
            policy("default", ["mtls": ["mode": "STRICT"]]),
            policy(
                "backend",
                [
                    "selector": ["matchLabels": ["app": "backend"]], "mtls": ["mode": "DISABLE"],
                    "portLevelMtls": ["8443": ["mode": "STRICT"], "8080": ["mode": "DISABLE"]],
                ]),
        ])
        let pod = KubernetesObject([
            "kind": "Pod", "metadata": ["name": "one", "namespace": "dev", "labels": ["app": .string(app)]],
            "spec": ["containers": [["name": "istio-proxy"]]],
        ])
        let document = WorkloadDocument.make(pods: [pod], services: [], modes: PeerModes(snapshot: snapshot))
        #expect(document[0]?["mtls"] == (try JSONValue(parsing: Array(expected.utf8))))
    }
}
