/// What is measured of the process, and what is shed when it is too much (`envoy.config.overload.v3.OverloadManager`).
package struct Overload: Sendable, Hashable {
    /// What is measured; a pressure is the share of the limit that is used, 0 to 1.
    package enum Resource: Sendable, Hashable {
        /// Memory of the process that no file backs, in bytes.
        case fixedHeap(limit: UInt64)
        /// Open downstream connections of the whole proxy. Beyond the limit new ones are closed at once.
        case downstreamConnections(limit: UInt64)
        /// A file that holds the pressure; for tests.
        case injected(path: String)
    }
    package struct Monitor: Sendable, Hashable {
        package var name: String
        package var resource: Resource
        package init(name: String, resource: Resource) {
            self.name = name
            self.resource = resource
        }
    }
    /// When a measure is taken, by the pressure of one resource.
    package enum Trigger: Sendable, Hashable {
        /// Fully, from this pressure on.
        case threshold(Double)
        /// More and more, between these pressures.
        case scaled(from: Double, to: Double)
    }
    /// Actions and load-shed points, by Envoy's names.
    package enum Measure: String, Sendable, Hashable, CaseIterable {
        case stopAcceptingRequests = "envoy.overload_actions.stop_accepting_requests"
        case disableKeepAlive = "envoy.overload_actions.disable_http_keepalive"
        case stopAcceptingConnections = "envoy.overload_actions.stop_accepting_connections"
        case rejectIncomingConnections = "envoy.overload_actions.reject_incoming_connections"
        case shrinkHeap = "envoy.overload_actions.shrink_heap"
        case resetHighMemoryStream = "envoy.overload_actions.reset_high_memory_stream"
        case shedConnections = "envoy.load_shed_points.tcp_listener_accept"
        case shedRequests = "envoy.load_shed_points.http_connection_manager_decode_headers"
        case shedSessions = "envoy.load_shed_points.http2_server_go_away_on_dispatch"

        /// A load-shed point turns away a share of what comes; an action of the old kind is on or off, or scaled.
        package var isShedPoint: Bool { rawValue.hasPrefix("envoy.load_shed_points.") }
    }
    package struct Rule: Sendable, Hashable {
        package var measure: Measure
        /// By the name of the monitor; the strongest counts.
        package var triggers: [String: Trigger]
        package init(measure: Measure, triggers: [String: Trigger]) {
            self.measure = measure
            self.triggers = triggers
        }
    }

    /// Milliseconds between two looks.
    package var refreshMilliseconds: UInt64 = 1_000
    package var monitors: [Monitor] = []
    package var rules: [Rule] = []

    package init() {}
}
