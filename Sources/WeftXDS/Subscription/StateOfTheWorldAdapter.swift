import SwiftProtobuf
package import WeftProto

/// Lets ``ClientSubscription`` speak the state-of-the-world variant of ADS on one stream: its requests become requests
/// with whole lists of names, and whole lists of resources become what changed. Pure.
///
/// A cluster or listener that a response leaves out is removed; endpoints, routes and secrets go when nothing names
/// them any more. After a rejection the version stays that of the last response without one.
package struct StateOfTheWorldAdapter: Sendable {
    package typealias Request = Envoy_Service_Discovery_V3_DiscoveryRequest
    package typealias Response = Envoy_Service_Discovery_V3_DiscoveryResponse

    private struct TypeState: Sendable {
        var names: Set<String> = []
        var acceptedVersion = ""
        var receivedVersion = ""
        var nonce = ""
    }
    private var types: [ResourceType: TypeState] = [:]

    package init() {}

    /// - Parameter held: Names of the resources that are in use.
    package mutating func delta(
        _ response: Response, held: [ResourceType: Set<String>]
    ) -> ClientSubscription.Response {
        var delta = ClientSubscription.Response()
        delta.typeURL = response.typeURL
        delta.nonce = response.nonce
        delta.systemVersionInfo = response.versionInfo
        var present: Set<String> = []
        delta.resources = response.resources.map { any in
            var resource = Envoy_Service_Discovery_V3_Resource()
            // Servers may wrap resources to give them a time to live.
            if any.holds(Envoy_Service_Discovery_V3_Resource.self),
                let wrapped = try? Envoy_Service_Discovery_V3_Resource(serializedBytes: any.value)
            {
                resource = wrapped
            } else {
                resource.resource = any
            }
            resource.name = ResourceName.of(resource.resource) ?? resource.name
            resource.version = response.versionInfo
            present.insert(resource.name)
            return resource
        }
        guard let type = ResourceType(typeURL: response.typeURL) else { return delta }
        if type.isWildcardByDefault {
            delta.removedResources = (held[type] ?? []).subtracting(present).sorted()
        }
        types[type, default: TypeState()].nonce = response.nonce
        types[type, default: TypeState()].receivedVersion = response.versionInfo
        return delta
    }

    package mutating func request(_ delta: ClientSubscription.Request) -> Request {
        var request = Request()
        request.typeURL = delta.typeURL
        if delta.hasNode { request.node = delta.node }
        if delta.hasErrorDetail { request.errorDetail = delta.errorDetail }
        guard let type = ResourceType(typeURL: delta.typeURL) else {
            request.responseNonce = delta.responseNonce
            return request
        }
        var state = types[type] ?? TypeState()
        state.names.subtract(delta.resourceNamesUnsubscribe)
        state.names.formUnion(delta.resourceNamesSubscribe)
        if !delta.responseNonce.isEmpty, !delta.hasErrorDetail { state.acceptedVersion = state.receivedVersion }
        types[type] = state
        request.resourceNames = state.names.sorted()
        request.versionInfo = state.acceptedVersion
        request.responseNonce = state.nonce
        return request
    }
}
