import SwiftProtobuf
import WeftProto
import WeftXDS

/// What both variants of ADS have in common, so that one stream loop serves both.
protocol SubscriptionMachine: Sendable {
    associatedtype Request: DiscoveryRequestMessage
    associatedtype Response: DiscoveryResponseMessage & Equatable

    var status: [ResourceType: ServerSubscription.Status] { get }
    mutating func receive(_ request: Request, snapshot: XDSSnapshot) -> ServerSubscription.Reaction<Response>
    mutating func push(_ snapshot: XDSSnapshot) -> [Response]
    /// Whether a part of the last push waits for the client's question about endpoints of new clusters.
    var isHolding: Bool { get }
    /// What waits, to be sent without that question.
    mutating func release(_ snapshot: XDSSnapshot) -> [Response]
}

protocol DiscoveryRequestMessage: Sendable {
    var hasNode: Bool { get }
    var node: Envoy_Config_Core_V3_Node { get }
    var responseNonce: String { get }
    var typeURL: String { get }
    /// The resources that it subscribes to by name.
    var askedNames: [String] { get }
    /// The words of its error, if it has one.
    var refusal: String? { get }
}

protocol DiscoveryResponseMessage: Sendable {
    var typeURL: String { get }
    var nonce: String { get }
    var version: String { get }
    /// Resources in it, and those that it removes.
    var names: [String] { get }
    /// Bytes of the resources in it.
    var size: Int { get }
}

extension ServerSubscription.Delta: SubscriptionMachine {}
extension ServerSubscription.StateOfTheWorld: SubscriptionMachine {}
extension Envoy_Service_Discovery_V3_DiscoveryRequest: DiscoveryRequestMessage {
    var askedNames: [String] { resourceNames }
    var refusal: String? { hasErrorDetail ? errorDetail.message : nil }
}
extension Envoy_Service_Discovery_V3_DeltaDiscoveryRequest: DiscoveryRequestMessage {
    var askedNames: [String] { resourceNamesSubscribe }
    var refusal: String? { hasErrorDetail ? errorDetail.message : nil }
}
extension Envoy_Service_Discovery_V3_DiscoveryResponse: DiscoveryResponseMessage {
    var version: String { versionInfo }
    var names: [String] { resources.compactMap(ResourceName.of) }
    var size: Int { resources.reduce(0) { $0 + $1.value.count } }
}
extension Envoy_Service_Discovery_V3_DeltaDiscoveryResponse: DiscoveryResponseMessage {
    var version: String { systemVersionInfo }
    var names: [String] { resources.map(\.name) + removedResources }
    var size: Int { resources.reduce(0) { $0 + $1.resource.value.count } }
}
