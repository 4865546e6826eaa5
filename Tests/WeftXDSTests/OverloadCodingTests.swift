import Testing
import WeftCore
import WeftIR

@testable import WeftXDS

/// `overload_manager` of a bootstrap.
@Suite struct OverloadCodingTests {
    private static func monitor(_ name: String, _ type: String, _ fields: [String: JSONValue]) -> JSONValue {
        let config = fields.merging(["@type": .string("type.googleapis.com/envoy.extensions.resource_monitors.\(type)")]
        ) {
            $1
        }
        return ["name": .string(name), "typed_config": .object(config)]
    }
    private static let heap = monitor("heap", "fixed_heap.v3.FixedHeapConfig", ["max_heap_size_bytes": 1_000_000])

    private func decode(_ overload: JSONValue) -> Result<Overload, BootstrapDecoder.Failure> {
        Result { () throws(BootstrapDecoder.Failure) in
            try BootstrapDecoder.decode(["overload_manager": overload]).bootstrap.overload
        }
    }

    @Test func readsMonitorsActionsAndPoints() throws {
        let overload = try decode([
            "refresh_interval": "0.25s",
            "resource_monitors": [
                Self.heap,
                Self.monitor(
                    "envoy.resource_monitors.global_downstream_max_connections",
                    "downstream_connections.v3.DownstreamConnectionsConfig", ["max_active_downstream_connections": 9]),
                Self.monitor("file", "injected_resource.v3.InjectedResourceConfig", ["filename": "/p"]),
            ],
            "actions": [
                [
                    "name": "envoy.overload_actions.stop_accepting_requests",
                    "triggers": [["name": "heap", "threshold": ["value": 0.95]]],
                ],
                [
                    "name": "envoy.overload_actions.disable_http_keepalive",
                    "triggers": [
                        ["name": "file", "scaled": ["scaling_threshold": 0.8, "saturation_threshold": 0.9]]
                    ],
                ],
            ],
            "loadshed_points": [
                [
                    "name": "envoy.load_shed_points.tcp_listener_accept",
                    "triggers": [["name": "file", "threshold": ["value": 0.5]]],
                ]
            ],
        ]).get()
        #expect(overload.refreshMilliseconds == 250)
        #expect(
            overload.monitors.map(\.resource) == [
                .fixedHeap(limit: 1_000_000), .downstreamConnections(limit: 9), .injected(path: "/p"),
            ])
        #expect(
            overload.rules == [
                .init(measure: .stopAcceptingRequests, triggers: ["heap": .threshold(0.95)]),
                .init(measure: .disableKeepAlive, triggers: ["file": .scaled(from: 0.8, to: 0.9)]),
                .init(measure: .shedConnections, triggers: ["file": .threshold(0.5)]),
            ])
    }

    private static func action(_ name: String, _ triggers: JSONValue) -> JSONValue {
        ["resource_monitors": [heap], "actions": [["name": .string(name), "triggers": triggers]]]
    }
    private static let reject = "envoy.overload_actions.reject_incoming_connections"

    @Test(
        arguments: [
            (
                action("envoy.overload_actions.reduce_timeouts", [["name": "heap", "threshold": ["value": 1]]]),
                "is not supported"
            ),
            (
                action("envoy.load_shed_points.tcp_listener_accept", [["name": "heap", "threshold": ["value": 1]]]),
                "not supported"
            ),
            (action(reject, [["name": "x", "threshold": ["value": 1]]]), "there is no resource monitor \"x\""),
            (action(reject, []), "has no triggers"), (action(reject, [["name": "heap"]]), "needs threshold or scaled"),
            (action(reject, [["name": "heap", "threshold": ["value": 1.5]]]), "from 0 to 1"),
            (
                action(reject, [["name": "heap", "scaled": ["scaling_threshold": 0.9, "saturation_threshold": 0.9]]]),
                "must be below"
            ), (["resource_monitors": [heap, heap]], "the same name"),
            (["resource_monitors": [monitor("m", "cpu_utilization.v3.CpuUtilizationConfig", [:])]], "not"),
            (["resource_monitors": [monitor("heap", "fixed_heap.v3.FixedHeapConfig", [:])]], "greater than 0"),
        ] as [(JSONValue, String)])
    func refusesWhatItCannotDo(_ overload: JSONValue, _ reason: String) {
        guard case .failure(let failure) = decode(overload) else {
            Issue.record("was accepted")
            return
        }
        #expect(failure.problems.contains { $0.description.contains(reason) }, "\(failure.problems)")
    }
}
