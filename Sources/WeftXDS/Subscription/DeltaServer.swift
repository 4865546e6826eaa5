package import WeftProto

extension ServerSubscription {
    /// The delta variant: only what changed is sent, and removals are named.
    package struct Delta: Sendable {
        package typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
        package typealias Response = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse

        private struct TypeState: Sendable {
            var interest = Interest()
            /// What the client has, or was told: name to version. An empty version is a name reported as absent.
            var known: [String: String] = [:]
            var status = Status()
        }

        private var types: [ResourceType: TypeState] = [:]
        private var nextNonce: UInt64 = 1

        package init() {}

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
            if !isFirst, !request.responseNonce.isEmpty {
                let error = request.hasErrorDetail ? request.errorDetail.message : nil
                if let event = state.status.answered(request.responseNonce, type: type, error: error) {
                    reaction.events.append(event)
                }
            }
            if isFirst {
                state.known = request.initialResourceVersions
                state.interest.wildcard = type.isWildcardByDefault && request.resourceNamesSubscribe.isEmpty
                reaction.events.append(.subscribed(type))
            }
            let hadWildcard = state.interest.wildcard
            state.interest.subscribe(request.resourceNamesSubscribe)
            state.interest.unsubscribe(request.resourceNamesUnsubscribe)
            for name in request.resourceNamesUnsubscribe where !state.interest.contains(name) {
                state.known[name] = nil
            }
            types[type] = state
            let asked = Set(request.resourceNamesSubscribe).subtracting(["*"])
            // A client that comes back with everything it had gets an empty answer: it is in step, and both sides know.
            let isReturning = isFirst && !request.initialResourceVersions.isEmpty
            let answerAnyway = isReturning || (isFirst || !hadWildcard) && state.interest.wildcard
            if isFirst || !request.resourceNamesSubscribe.isEmpty {
                // A name that is subscribed to again is sent again, except what the client said it has.
                let forced = isFirst ? asked.filter { request.initialResourceVersions[$0] == nil } : asked
                reaction.responses += responses(
                    type, snapshot: snapshot, forced: forced, evenIfEmpty: answerAnyway, removals: true)
            }
            return reaction
        }

        /// Brings the client to a new snapshot. Clusters and endpoints that are gone are removed last, when no
        /// listener and no route refers to them any more.
        package mutating func push(_ snapshot: XDSSnapshot) -> [Response] {
            var result: [Response] = []
            let warming = changedAssignments(snapshot)
            for type in ResourceType.allCases where types[type] != nil {
                result += responses(
                    type, snapshot: snapshot, forced: type == .endpoint ? warming : [], evenIfEmpty: false,
                    removals: type != .cluster && type != .endpoint)
            }
            for type in [ResourceType.cluster, .endpoint] where types[type] != nil {
                result += responses(type, snapshot: snapshot, forced: [], evenIfEmpty: false, removals: true)
            }
            return result
        }

        /// Load assignments of clusters that the next push changes: Envoy warms such a cluster, and waits for its
        /// endpoints to be sent again.
        private func changedAssignments(_ snapshot: XDSSnapshot) -> Set<String> {
            guard let clusters = types[.cluster], let endpoints = types[.endpoint] else { return [] }
            let changed = snapshot[.cluster].filter { clusters.known[$0.key] != $0.value.version }
            return Set(changed.keys.compactMap { snapshot.assignmentOfCluster[$0] }.filter(endpoints.interest.contains))
        }

        private mutating func responses(
            _ type: ResourceType, snapshot: XDSSnapshot, forced: Set<String>, evenIfEmpty: Bool, removals: Bool
        ) -> [Response] {
            guard var state = types[type] else { return [] }
            let wanted = snapshot[type].filter { state.interest.contains($0.key) }
            var response = Response()
            response.typeURL = type.typeURL
            for (name, resource) in wanted.sorted(by: { $0.key < $1.key })
            where forced.contains(name) || state.known[name] != resource.version {
                var encoded = Envoy_Service_Discovery_V3_Resource()
                encoded.name = name
                encoded.version = resource.version
                encoded.resource = resource.any
                response.resources.append(encoded)
                state.known[name] = resource.version
            }
            if removals {
                let absent = forced.filter { wanted[$0] == nil }
                let gone = state.known.filter { wanted[$0.key] == nil && !$0.value.isEmpty }.keys
                let unheardOf = state.interest.names.filter { wanted[$0] == nil && state.known[$0] == nil }
                response.removedResources = absent.union(gone).union(unheardOf).sorted()
                for name in response.removedResources { state.known[name] = "" }
            }
            if response.resources.isEmpty, response.removedResources.isEmpty, !evenIfEmpty { return [] }
            response.nonce = String(nextNonce)
            nextNonce += 1
            response.systemVersionInfo = snapshot.version(of: type)
            state.status.sent(response.systemVersionInfo, nonce: response.nonce)
            types[type] = state
            return [response]
        }
    }
}
