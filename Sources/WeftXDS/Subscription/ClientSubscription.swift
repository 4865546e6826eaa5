package import WeftIR
package import WeftProto

/// The client side of a delta ADS stream, over as many streams as it takes: what is subscribed to, what was received,
/// and what to send next. Pure.
///
/// Listeners and clusters are wildcard subscriptions; endpoints, routes and secrets follow the names that these use.
/// Scopes are asked for as a whole from when a listener wants them.
/// A resource that cannot be used is refused by name, the others of its response are applied, and what was there
/// before stays in force.
package struct ClientSubscription: Sendable {
    package typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
    package typealias Response = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse

    /// What one response changed, and what to send because of it.
    package struct Reaction: Sendable {
        package var requests: [Request] = []
        package var type: ResourceType?
        package var updated: [String] = []
        package var removed: [String] = []
        package var errors: [String] = []
        package var warnings: [String] = []
        /// Full names of the fields that have no effect, as often as they were met.
        package var ignoredFields: [String] = []
    }

    /// What has been accepted so far.
    package private(set) var configuration = ProxyConfiguration()
    /// Version of every accepted resource.
    package private(set) var versions: [ResourceType: [String: String]] = [:]
    private let node: Envoy_Config_Core_V3_Node
    /// Types that are subscribed to as a whole.
    private let wildcards: [ResourceType]
    /// What does not come by this stream and may name resources that do.
    private let base: ProxyConfiguration
    private let decoder: XDSDecoder
    private var names: [ResourceType: Set<String>] = [:]
    /// Types asked for on the current stream.
    private var opened: Set<ResourceType> = []
    private var nodeSent = false

    /// - Parameters:
    ///   - wildcards: Of clusters and listeners, those that come by this stream.
    ///   - base: A bootstrap's static resources; what they name by ADS is subscribed to.
    ///   - runtime: What `runtime_key`s stand for.
    package init(
        node: Envoy_Config_Core_V3_Node, wildcards: [ResourceType] = [.cluster, .listener],
        base: ProxyConfiguration = ProxyConfiguration(), runtime: RuntimeValues = RuntimeValues()
    ) {
        decoder = XDSDecoder(runtime: runtime)
        self.node = node
        self.wildcards = wildcards
        self.base = base
        names = base.references
    }

    /// The requests that open a new stream; versions of what is held already are sent along.
    package mutating func connect() -> [Request] {
        opened = []
        nodeSent = false
        var requests = wildcards.map { open($0) }
        if wantsScopes { requests.append(open(.scope)) }
        for type in [ResourceType.endpoint, .route, .secret] where !(names[type] ?? []).isEmpty {
            requests.append(open(type))
        }
        return requests
    }

    /// - Parameter check: says why a decoded resource cannot be used, or `nil`.
    package mutating func receive(_ response: Response, check: (DecodedResource) -> String? = { _ in nil }) -> Reaction
    {
        var reaction = Reaction()
        guard let type = ResourceType(typeURL: response.typeURL) else {
            reaction.errors = ["unknown resource type \(response.typeURL)"]
            reaction.requests = [answer(response, errors: reaction.errors)]
            return reaction
        }
        reaction.type = type
        for resource in response.resources { apply(resource, type: type, check: check, to: &reaction) }
        for name in response.removedResources {
            versions[type]?[name] = nil
            configuration.remove(type, name)
            reaction.removed.append(name)
        }
        reaction.requests = [answer(response, errors: reaction.errors)] + resubscribe(after: type)
        return reaction
    }

    private mutating func apply(
        _ resource: Envoy_Service_Discovery_V3_Resource, type: ResourceType, check: (DecodedResource) -> String?,
        to reaction: inout Reaction
    ) {
        do {
            let decoded = try decoder.decode(resource.resource)
            guard decoded.value.type == type else {
                reaction.errors.append(
                    "\(resource.name): \(decoded.value.type.shortName) resource in a \(type.shortName) response")
                return
            }
            reaction.warnings += decoded.warnings.map { "\(resource.name): \($0)" }
            reaction.ignoredFields += decoded.ignoredFields
            if let reason = check(decoded.value) {
                reaction.errors.append("\(resource.name): \(reason)")
                return
            }
            configuration.set(decoded.value)
            versions[type, default: [:]][resource.name] = resource.version
            reaction.updated.append(resource.name)
        } catch {
            // The control plane finds the objects behind a refusal by the name in front.
            let text = "\(error)"
            reaction.errors.append(text.hasPrefix("\(resource.name):") ? text : "\(resource.name): \(text)")
        }
    }

    private mutating func open(_ type: ResourceType) -> Request {
        var request = blank(type)
        if !type.isWildcardByDefault { request.resourceNamesSubscribe = (names[type] ?? []).sorted() }
        request.initialResourceVersions = versions[type] ?? [:]
        opened.insert(type)
        return request
    }

    private mutating func answer(_ response: Response, errors: [String]) -> Request {
        var request = Request()
        request.typeURL = response.typeURL
        request.responseNonce = response.nonce
        if !errors.isEmpty {
            request.errorDetail.code = 3
            request.errorDetail.message = errors.joined(separator: "; ")
        }
        return request
    }

    /// Follows the names that listeners and clusters use now.
    private mutating func resubscribe(after type: ResourceType) -> [Request] {
        guard type.isWildcardByDefault else { return [] }
        var requests: [Request] = []
        if wantsScopes, !opened.contains(.scope) { requests.append(open(.scope)) }
        let references = configuration.references.merging(base.references) { $0.union($1) }
        for type in [ResourceType.endpoint, .route, .secret] {
            let before = names[type] ?? []
            let now = references[type] ?? []
            guard before != now else { continue }
            names[type] = now
            for name in before.subtracting(now) {
                versions[type]?[name] = nil
                configuration.remove(type, name)
            }
            guard opened.contains(type) else {
                requests.append(open(type))
                continue
            }
            var request = blank(type)
            request.resourceNamesSubscribe = now.subtracting(before).sorted()
            request.resourceNamesUnsubscribe = before.subtracting(now).sorted()
            requests.append(request)
        }
        return requests
    }

    private var wantsScopes: Bool { base.usesScopeDiscovery || configuration.usesScopeDiscovery }

    private mutating func blank(_ type: ResourceType) -> Request {
        var request = Request()
        request.typeURL = type.typeURL
        if !nodeSent {
            request.node = node
            nodeSent = true
        }
        return request
    }
}
