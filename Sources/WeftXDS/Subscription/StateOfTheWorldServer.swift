package import WeftProto

extension ServerSubscription {
    /// The state-of-the-world variant: every response holds all resources of its type that the client wants.
    package struct StateOfTheWorld: Sendable {
        package typealias Request = Envoy_Service_Discovery_V3_DiscoveryRequest
        package typealias Response = Envoy_Service_Discovery_V3_DiscoveryResponse

        private struct TypeState: Sendable {
            var interest = Interest()
            var sent: [String: EncodedResource] = [:]
            /// What the last push compared `sent` with.
            var base: XDSSnapshot?
            var status = Status()
        }

        private var types: [ResourceType: TypeState] = [:]
        private var nextNonce: UInt64 = 1
        /// New clusters that the client has not asked for the endpoints of yet; see ``ServerSubscription/Delta``.
        private var awaited: Set<String> = []

        package init() {}

        /// Whether a part of the last push waits until the client asks for the endpoints of clusters that are new to it.
        package var isHolding: Bool { !awaited.isEmpty }

        package var status: [ResourceType: Status] { types.mapValues(\.status) }

        /// Handles one request against the newest snapshot.
        package mutating func receive(_ request: Request, snapshot: XDSSnapshot) -> Reaction<Response> {
            var reaction = Reaction<Response>()
            guard let type = ResourceType(typeURL: request.typeURL) else {
                reaction.events.append(.unknownType(request.typeURL))
                return reaction
            }
            let isFirst = types[type] == nil
            var state = types[type] ?? TypeState()
            if !isFirst {
                // An answer to an older response says nothing about the newest one (and its names may be out of date).
                let isStale = request.responseNonce != state.status.nonce
                let error = request.hasErrorDetail ? request.errorDetail.message : nil
                if let event = state.status.answered(request.responseNonce, type: type, error: error) {
                    reaction.events.append(event)
                }
                types[type] = state
                let wasHolding = isHolding
                // What the client refuses it will not ask endpoints for.
                if type == .cluster, error != nil { awaited = [] }
                if wasHolding, !isHolding { reaction.responses = push(snapshot) }
                if isStale || wasHolding && !isHolding { return reaction }
            } else {
                reaction.events.append(.subscribed(type))
            }
            let before = state.interest
            state.interest = Interest()
            state.interest.subscribe(request.resourceNames)
            // Once named, an empty list is "nothing"; from the start, it is "everything".
            if request.resourceNames.isEmpty {
                state.interest.wildcard = type.isWildcardByDefault && (isFirst || before.wildcard)
            }
            types[type] = state
            let grew = !state.interest.names.isSubset(of: before.names) || state.interest.wildcard && !before.wildcard
            if isFirst || grew { reaction.responses.append(response(type, resources: wanted(type, snapshot))) }
            if isHolding {
                stopAwaiting(snapshot)
                if !isHolding { reaction.responses += push(snapshot) }
            }
            return reaction
        }

        /// Brings the client to a new snapshot. Listeners and routes wait until the client has asked for the endpoints of
        /// clusters that are new to it. A cluster that goes away stays in the first CDS response and leaves with a second
        /// one, after listeners and routes have let go of it.
        package mutating func push(_ snapshot: XDSSnapshot) -> [Response] {
            var result: [Response] = []
            var clustersChanged = false
            for type in ResourceType.allCases {
                guard let state = types[type], !isHolding || !type.sendsToClusters else { continue }
                let isSame = state.base.map { snapshot.difference(from: $0, type).isEmpty } ?? false
                types[type]?.base = snapshot
                if isSame, type != .endpoint || !clustersChanged { continue }
                var next = wanted(type, snapshot)
                if type == .cluster {
                    expect(next.keys.filter { state.sent[$0] == nil }, snapshot)
                    next.merge(state.sent) { new, _ in new }
                    clustersChanged = next != state.sent
                }
                // Envoy warms changed clusters and waits for their endpoints to be sent again.
                if next != state.sent || type == .endpoint && clustersChanged {
                    result.append(response(type, resources: next))
                }
            }
            if isHolding { return result }
            if let state = types[.cluster], case let next = wanted(.cluster, snapshot), next != state.sent {
                result.append(response(.cluster, resources: next))
                if types[.endpoint] != nil, !result.contains(where: { $0.typeURL == ResourceType.endpoint.typeURL }) {
                    result.append(response(.endpoint, resources: wanted(.endpoint, snapshot)))
                }
            }
            return result
        }

        /// Sends what is held back, whether the client has asked for endpoints or not.
        package mutating func release(_ snapshot: XDSSnapshot) -> [Response] {
            guard isHolding else { return [] }
            awaited = []
            return push(snapshot)
        }

        /// Notes which new clusters have endpoints that the client does not follow.
        private mutating func expect(_ new: [String], _ snapshot: XDSSnapshot) {
            awaited.formUnion(new)
            stopAwaiting(snapshot)
        }

        private mutating func stopAwaiting(_ snapshot: XDSSnapshot) {
            awaited = awaited.filter { name in
                guard types[.cluster]?.interest.contains(name) ?? false, snapshot[.cluster, name] != nil,
                    let assignment = snapshot.assignment(ofCluster: name)
                else { return false }
                return !(types[.endpoint]?.interest.contains(assignment) ?? false)
            }
        }

        private func wanted(_ type: ResourceType, _ snapshot: XDSSnapshot) -> [String: EncodedResource] {
            guard let interest = types[type]?.interest else { return [:] }
            if interest.wildcard { return snapshot[type] }
            return interest.names.reduce(into: [:]) { $0[$1] = snapshot[type, $1] }
        }

        private mutating func response(_ type: ResourceType, resources: [String: EncodedResource]) -> Response {
            var response = Response()
            response.typeURL = type.typeURL
            response.versionInfo = XDSSnapshot(resources: [type: resources]).version(of: type)
            response.resources = resources.sorted { $0.key < $1.key }.map(\.value.any)
            response.nonce = String(nextNonce)
            nextNonce += 1
            types[type, default: TypeState()].sent = resources
            types[type]?.status.sent(response.versionInfo, nonce: response.nonce)
            return response
        }
    }
}
