import Testing
import WeftMetrics

struct ProcessUsageTests {
    @Test func namesHaveThePrefix() {
        let names = ProcessUsage.text(prefix: "istio_agent_").split(separator: "\n").filter { !$0.hasPrefix("#") }
            .compactMap { $0.split(separator: " ").first }
        #expect(names == ["istio_agent_process_cpu_seconds_total", "istio_agent_process_resident_memory_bytes"])
    }
}
