import Synchronization
import Testing
import WeftConfig
import WeftCore

@testable import WeftControlPlane

@Suite struct ClientDirectoryTests {
    private func pod(
        _ name: String, _ address: String, labels: [String: JSONValue] = [:], host: Bool = false,
        phase: String = "Running"
    ) -> KubernetesObject {
        KubernetesObject([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": ["name": .string(name), "namespace": "plain", "labels": .object(labels)],
            "spec": ["hostNetwork": .bool(host)],
            "status": ["phase": .string(phase), "podIP": .string(address)],
        ])
    }

    @Test func aPodIsFoundByItsAddress() {
        let directory = ClientDirectory(pods: {
            [
                pod("caller", "10.244.0.9", labels: ["app": "caller", "secret": "s"]),
                pod("agent", "10.0.0.1", host: true), pod("done", "10.244.0.10", phase: "Succeeded"),
                pod("one", "10.244.0.11"), pod("two", "10.244.0.11"), pod("waiting", ""),
            ]
        })
        #expect(
            directory.workload(at: "10.244.0.9")
                == ["WORKLOAD_NAME": "caller", "NAMESPACE": "plain", "LABELS": ["app": "caller"]])
        for address in ["10.0.0.1", "10.244.0.10", "10.244.0.11", "", "10.244.0.99"] {
            #expect(directory.workload(at: address) == nil, "\(address)")
        }
    }

    /// However many ask, pods are looked at once a second.
    @Test func podsAreLookedAtOnceASecond() {
        let looks = Mutex(0)
        let second = Mutex<Int64>(5)
        let directory = ClientDirectory(
            pods: {
                looks.withLock { $0 += 1 }
                return looks.withLock { $0 } > 1 ? [pod("late", "10.244.0.9")] : []
            }, now: { second.withLock { $0 } })
        #expect(looks.withLock { $0 } == 0)
        for _ in 0..<3 { #expect(directory.workload(at: "10.244.0.9") == nil) }
        #expect(looks.withLock { $0 } == 1)
        second.withLock { $0 = 6 }
        #expect(directory.workload(at: "10.244.0.9")?["WORKLOAD_NAME"] == "late")
    }
}
