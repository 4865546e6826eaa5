import ArgumentParser
import Testing
import WeftCore

@testable import WeftCLI

/// `stat`, `top`, `edges` and `tap` without a mesh.
@Suite struct TrafficTests {
    private func answer(_ rows: [([String: String], String)]) throws -> [TrafficValue] {
        let list = rows.map { labels, value -> JSONValue in
            ["metric": .object(labels.mapValues { .string($0) }), "value": [1_700_000_000, .string(value)]]
        }
        return try TrafficStore.values(["status": "success", "data": ["resultType": "vector", "result": .array(list)]])
    }

    private func workload(_ name: String, _ more: [String: String] = [:]) -> [String: String] {
        ["destination_workload_namespace": "shop", "destination_workload": name].merging(more) { $1 }
    }

    private func report() throws -> TrafficReport {
        TrafficReport(
            .workloads,
            [
                "requests": try answer([
                    (workload("a", ["response_code": "200"]), "5"), (workload("a", ["response_code": "503"]), "1"),
                    (
                        workload(
                            "a", ["request_protocol": "grpc", "response_code": "200", "grpc_response_status": "14"]),
                        "1.5"
                    ),
                    (
                        workload(
                            "a", ["request_protocol": "grpc", "response_code": "200", "grpc_response_status": "5"]),
                        "1"
                    ), (workload("b", ["response_code": "404"]), "4"),
                    (workload("idle", ["response_code": "200"]), "0"),
                ]),
                // What a caller counts of a workload that has no proxy of its own for it.
                "others": try answer([(workload("a", ["response_code": "200"]), "1.5")]),
                "p50": try answer([(workload("a"), "3.25"), (workload("b"), "NaN")]),
                "p99": try answer([(workload("a"), "120"), (workload("b"), "250")]),
                "sent": try answer([(workload("tcp"), "1000")]), "received": try answer([(workload("tcp"), "24")]),
                "policy": try answer([
                    (workload("a", ["connection_security_policy": "mutual_tls"]), "7.5"),
                    (workload("a", ["connection_security_policy": "none"]), "2.5"),
                    (workload("b", ["connection_security_policy": "unknown"]), "4"),
                ]),
            ])
    }

    @Test func rowsComeOutOfAnswers() throws {
        let table = try report().table
        #expect(table.header == ["NAMESPACE", "WORKLOAD", "RPS", "SUCCESS", "P50", "P95", "P99", "TCP B/S", "MTLS"])
        #expect(
            table.rows == [
                ["shop", "a", "10.0", "75.0%", "3.2ms", "-", "120ms", "-", "75.0%"],
                ["shop", "b", "4.0", "100.0%", "-", "-", "250ms", "-", "-"],
                ["shop", "tcp", "0.0", "-", "-", "-", "-", "1024", "-"],
            ])
        let json = try report().json
        #expect(json[0]?["workload"]?.stringValue == "a")
        #expect(json[0]?["p99Milliseconds"]?.doubleValue == 120)
        #expect(json[0]?["mutualTLS"]?.doubleValue == 0.75)
        #expect(json[1]?["mutualTLS"] == nil)
    }

    @Test(arguments: [
        (TrafficOrder.rps, ["a", "b"]), (.p99, ["b", "a"]), (.errors, ["a", "b"]), (.bytes, ["tcp", "a"]),
    ])
    func topOrders(_ order: TrafficOrder, _ names: [String]) throws {
        #expect(try report().top(2, by: order).rows.map { $0.names[1] } == names)
    }

    @Test func queriesAreScoped() throws {
        let window = try TrafficWindow("5m")
        for view in TrafficReport.View.allCases {
            let queries = TrafficReport.queries(view, window: window, namespace: "a\"b\\")
            #expect(queries.count == 8)
            for (name, text) in queries {
                #expect(text.contains("namespace=\"a\\\"b\\\\\""), "\(view) \(name)")
                #expect(text.contains("[5m]") && text.contains(view.labels.joined(separator: ",")), "\(view) \(name)")
            }
        }
        #expect(
            TrafficReport.queries(.edges, window: window, namespace: nil)["requests"]?.contains("namespace=") == false)
    }

    @Test(arguments: ["", "5", "m", "0s", "4s", "25h", "1d", "-5m", "5 m"])
    func refusesWindows(_ text: String) { #expect(throws: CommandFailure.self) { try TrafficWindow(text) } }

    @Test func theStoresRefusalIsShown() {
        let error = #expect(throws: CommandFailure.self) {
            try TrafficStore.values(["status": "error", "error": "parse error at line 1"])
        }
        #expect(error?.description.contains("parse error at line 1") == true)
    }

    // MARK: - Tap

    @Test func eventsAreCutOutOfTheStream() {
        let text = ": \n\nevent: hello\ndata: {\"proxies\":2}\n\nevent: request\ndata: {\"a\":1}\n\nevent: lo"
        for size in [1, 3, 1000] {
            var reader = EventReader()
            var found: [StreamEvent] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                found += reader.read(rest.prefix(size))
                rest = rest.dropFirst(size)
            }
            let expected = [
                StreamEvent(name: "hello", data: "{\"proxies\":2}"), StreamEvent(name: "request", data: "{\"a\":1}"),
            ]
            #expect(found == expected)
        }
    }

    @Test func aRequestOnOneLine() {
        let entry: JSONValue = [
            "time": 1_700_000_000_000, "reporter": "destination", "method": "GET", "host": "reviews:9080",
            "path": "/r\u{1b}[31m", "status": 403, "latency": 1.26, "flags": "-", "mtls": true, "attempts": 2,
            "details": "rbac_access_denied", "routeConfig": "AuthorizationPolicy shop/deny rule 0",
            "source": ["workload": "a", "namespace": "shop", "principal": "spiffe://c/ns/shop/sa/a"],
            "destination": ["workload": "unknown", "service": "reviews.shop"],
        ]
        #expect(
            TapPrinter.line(entry)
                == "22:13:20 destination a.shop -> reviews.shop mtls GET reviews:9080/r?[31m 403 1.3ms "
                + "details=rbac_access_denied by=\"AuthorizationPolicy shop/deny rule 0\" attempts=2 id=spiffe://c/ns/shop/sa/a"
        )
    }

    @Test func filtersGoToTheControlPlane() throws {
        let command = try TapCommand.parse(["deploy/a.shop", "--status", "5xx", "--min-latency", "100"])
        let filter = Dictionary(uniqueKeysWithValues: try command.filter())
        #expect(filter == ["workload": "a", "namespace": "shop", "status": "5xx", "minLatency": "100.0", "max": "100"])
        let pod = Dictionary(uniqueKeysWithValues: try TapCommand.parse(["x-1", "-n", "dev"]).filter())
        #expect(pod == ["pod": "x-1", "namespace": "dev", "max": "100"])
    }
}
