import ArgumentParser
import Testing

@testable import WeftCLI

@Suite struct DashboardTests {
    @Test(
        arguments: [
            (nil, ""), ("kiali", "#/graph"), ("grafana", "#/metrics"), ("prometheus", "#/metrics"),
            ("jaeger", "#/traces"), ("zipkin", "#/traces"), ("controlz", "#/mesh"), ("envoy", "#/workloads"),
        ] as [(String?, String)])
    func eachNameOpensThePageForTheSameNeed(_ name: String?, _ place: String) throws {
        #expect(try DashboardCommand.place(name) == place)
    }

    @Test func aProxyHasItsWorkloadsPage() throws {
        #expect(try DashboardCommand.place("envoy", workload: ("shop", "a-v1")) == "#/workloads/shop/a-v1/proxy")
        #expect(throws: CommandFailure.self) { try DashboardCommand.place("nagios") }
    }

    @Test(
        arguments: [
            (["kiali", "--browser=false"], true), (["--no-browser"], true), (["--browser", "true"], true),
            (["envoy", "deploy/a", "--browser=false"], true), (["envoy"], false), (["kiali", "a-1"], false),
            (["--browser=maybe"], false),
        ] as [([String], Bool)])
    func arguments(_ arguments: [String], _ isGood: Bool) {
        #expect(((try? DashboardCommand.parse(arguments)) != nil) == isGood)
    }
}
