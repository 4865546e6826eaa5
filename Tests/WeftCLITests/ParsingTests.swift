import ArgumentParser
import Testing
import WeftConfig
import WeftCore

@testable import WeftCLI

@Suite struct ParsingTests {
    @Test(arguments: [
        ("web-1", WorkloadReference.Kind.pod, "web-1", nil as String?), ("web-1.dev", .pod, "web-1", "dev"),
        ("pod/web-1", .pod, "web-1", nil), ("deploy/web.dev", .deployment, "web", "dev"),
        ("deployment/web", .deployment, "web", nil), ("pod/a.b.dev", .pod, "a.b", "dev"),
    ])
    func workload(_ text: String, _ kind: WorkloadReference.Kind, _ name: String, _ namespace: String?) throws {
        let reference = try WorkloadReference(text)
        #expect(reference.kind == kind)
        #expect(reference.name == name)
        #expect(reference.namespace == namespace)
    }

    @Test(arguments: ["", "deploy/", "job/x", "web.", ".dev"])
    func badWorkload(_ text: String) {
        #expect(throws: CommandFailure.self) { try WorkloadReference(text) }
    }

    @Test func portsOfARunningNode() throws {
        let ports = try #require(
            LocalPorts.read(from: ["/x/weft-node", "run", "--home", "/h", "--api-port", "1", "--http-port", "2"]))
        #expect(ports.apiPort == 1)
        #expect(ports.httpPort == 2)
        #expect(ports.httpsPort == 8443)
        #expect(LocalPorts.read(from: ["weft-node", "--api-port", "many"]) == nil)
    }

    @Test func homes() {
        #expect(LocalHome.current(environment: ["HOME": "/h"]).path == "/h/.weft")
        #expect(LocalHome.current(environment: ["HOME": "/h", "WEFT_HOME": "/a/../b"]).path == "/b")
        #expect(LocalHome.current(environment: ["HOME": "/h", "WEFT_HOME": ""]).path == "/h/.weft")
    }

    @Test(arguments: [
        ["proxy-config", "routes", "deploy/a.b", "-o", "json"], ["pc", "cluster", "a.b", "--port", "80"],
        ["ps", "-i", "mesh"], ["install", "--set", "profile=demo", "-y"], ["analyze", "-n", "dev"], ["analyze", "-A"],
        ["uninstall", "--purge", "-y"], ["dashboard", "kiali", "--no-browser"], ["kube-inject", "-f", "x.yaml"],
        ["up", "--detach", "--demo", "bookinfo", "--api-port", "26440"], ["down", "--purge"], ["version", "--short"],
    ])
    func commandLines(_ arguments: [String]) throws { _ = try WeftCommand.parseAsRoot(arguments) }

    @Test func podProblems() {
        let waiting: JSONValue = ["reason": "ErrImageNeverPull", "message": "not in the catalogue"]
        let stuck = KubernetesObject([
            "metadata": ["name": "web-1"],
            "status": [
                "phase": "Pending",
                "containerStatuses": [["name": "app", "ready": false, "state": ["waiting": waiting]]],
            ],
        ])
        let ready = KubernetesObject(["status": ["conditions": [["type": "Ready", "status": "True"]]]])
        #expect(PodHealth.problem(of: [ready], wanted: 1) == nil)
        #expect(PodHealth.problem(of: [], wanted: 1) == "0 of 1 pods exist")
        let problem = PodHealth.problem(of: [stuck, ready], wanted: 2)
        #expect(problem == "pod web-1: container app ErrImageNeverPull: not in the catalogue")
    }
}
