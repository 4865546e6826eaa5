import WeftProto
import WeftXDS

/// What both variants of ADS have in common, so that one stream loop serves both.
protocol SubscriptionMachine: Sendable {
    associatedtype Request: DiscoveryRequestMessage
    associatedtype Response: DiscoveryResponseMessage & Equatable

    var status: [ResourceType: ServerSubscription.Status] { get }
    mutating func receive(_ request: Request, snapshot: XDSSnapshot) -> ServerSubscription.Reaction<Response>
    mutating func push(_ snapshot: XDSSnapshot) -> [Response]
}

protocol DiscoveryRequestMessage: Sendable {
    var hasNode: Bool { get }
    var node: Envoy_Config_Core_V3_Node { get }
    var responseNonce: String { get }
}

protocol DiscoveryResponseMessage: Sendable {
    var typeURL: String { get }
    var nonce: String { get }
    var version: String { get }
}

extension ServerSubscription.Delta: SubscriptionMachine {}
extension ServerSubscription.StateOfTheWorld: SubscriptionMachine {}
extension Envoy_Service_Discovery_V3_DiscoveryRequest: DiscoveryRequestMessage {}
extension Envoy_Service_Discovery_V3_DeltaDiscoveryRequest: DiscoveryRequestMessage {}
extension Envoy_Service_Discovery_V3_DiscoveryResponse: DiscoveryResponseMessage {
    var version: String { versionInfo }
}
extension Envoy_Service_Discovery_V3_DeltaDiscoveryResponse: DiscoveryResponseMessage {
    var version: String { systemVersionInfo }
}
