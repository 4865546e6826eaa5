package import WeftCore

/// A change that a user makes to the resources of a proxy after the control plane has made them (EnvoyFilter).
///
/// Applied to the encoded form, field by field, so that it can set what the rest of this model has no words for.
package struct ResourcePatch: Sendable, Hashable, Codable {
    package enum Target: String, Sendable, Hashable, Codable, CaseIterable {
        case listener, listenerFilter, filterChain, networkFilter, httpFilter, routeConfiguration, virtualHost
        case httpRoute, cluster
    }
    package enum Operation: String, Sendable, Hashable, Codable {
        case merge, add, remove, insertBefore, insertAfter, insertFirst, replace, mergeReplacingLists
    }
    /// Whose resources: what a sidecar receives by, sends by, or a gateway's.
    package enum Context: String, Sendable, Hashable, Codable { case any, inbound, outbound, gateway }
    /// Where a new HTTP filter goes: before the first of its kind.
    package enum FilterClass: String, Sendable, Hashable, Codable { case authentication, authorization, stats }

    /// Conditions on a listener and its parts; what is `nil` or empty holds for all.
    package struct ListenerMatch: Sendable, Hashable, Codable {
        package var name: String?
        package var port: UInt16?
        package var listenerFilter: String?
        package var chainName: String?
        package var serverName: String?
        package var transportProtocol: String?
        /// All of them are asked for.
        package var applicationProtocols: [String] = []
        package var destinationPort: UInt16?
        package var filter: String?
        package var subFilter: String?
        package init() {}
    }
    /// Conditions on a route table and its parts.
    package struct RouteMatch: Sendable, Hashable, Codable {
        package enum Action: String, Sendable, Hashable, Codable { case any, route, redirect, directResponse }
        package var name: String?
        /// Any of them; empty is all.
        package var ports: [Int] = []
        package var portName: String?
        /// `namespace/name` of the gateway that the table is for.
        package var gateway: String?
        package var virtualHost: String?
        package var domain: String?
        package var route: String?
        package var action = Action.any
        package init() {}
    }
    package struct ClusterMatch: Sendable, Hashable, Codable {
        package var name: String?
        package var service: String?
        package var subset: String?
        package var port: Int?
        package init() {}
    }

    package var target: Target
    package var operation: Operation
    package var context = Context.any
    package var filterClass: FilterClass?
    package var listener: ListenerMatch?
    package var route: RouteMatch?
    package var cluster: ClusterMatch?
    /// A piece of an xDS message in protobuf's JSON form.
    package var value: JSONValue?
    /// The object and the index of the patch in it.
    package var provenance: Provenance

    package init(target: Target, operation: Operation, provenance: Provenance) {
        self.target = target
        self.operation = operation
        self.provenance = provenance
    }
}
