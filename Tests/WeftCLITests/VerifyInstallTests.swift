import Testing
import WeftConfig
import WeftCore
import WeftManifests

@testable import WeftCLI

/// Which revisions `verify-install` looks at, told by the Deployments that are there.
struct VerifyInstallTests {
    private static func deployment(_ name: String, app: String, revision: String) -> KubernetesObject {
        KubernetesObject([
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": [
                "name": .string(name), "namespace": "istio-system",
                "labels": ["app": .string(app), "istio.io/rev": .string(revision)],
            ],
        ])
    }

    private static let two = [
        deployment("istiod-canary", app: "istiod", revision: "canary"),
        deployment("istiod", app: "istiod", revision: "default"),
        deployment("istio-ingressgateway", app: "istio-ingressgateway", revision: "default"),
    ]

    @Test func everyRevisionIsLookedAtAndGatewaysOnce() throws {
        let found = try VerifyInstallCommand.installed(Self.two, namespace: "istio-system")
        #expect(found.map(\.revision) == ["default", "canary"])
        #expect(found.map(\.ingressGateway) == [true, false])
        #expect(found.allSatisfy { !$0.egressGateway })
    }

    @Test func aNamedRevisionIsLookedAtAlone() throws {
        let found = try VerifyInstallCommand.installed(Self.two, namespace: "istio-system", revision: "canary")
        #expect(found.map(\.revision) == ["canary"])
        let deployments = found.flatMap { MeshInstallation($0).deployments }
        #expect(deployments.contains("istiod-canary") && !deployments.contains("istiod"))
    }

    @Test func whatIsNotInstalledIsSaid() {
        let unknown = #expect(throws: CommandFailure.self) {
            try VerifyInstallCommand.installed(Self.two, namespace: "istio-system", revision: "old")
        }
        #expect(unknown?.description.contains("there is default, canary") == true)
        let none = #expect(throws: CommandFailure.self) {
            try VerifyInstallCommand.installed([], namespace: "mesh")
        }
        #expect(none?.description.contains("no mesh in namespace mesh") == true)
    }
}
