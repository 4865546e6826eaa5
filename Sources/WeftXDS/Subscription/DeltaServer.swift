package import WeftProto

extension ServerSubscription {
    /// The delta variant: only what changed is sent, and removals are named.
    ///
    /// Costs per push what differs between two snapshots, not what a snapshot holds; keeps per client the names that
    /// it asked for, and no copy of what it has.
    package struct Delta: Sendable {
        package typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
        package typealias Response = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse

        private struct TypeState: Sendable {
            var interest = Interest()
            /// What the client has of everything it asked for, except for the names in `differs`.
            var base = XDSSnapshot.empty
            /// Versions that the client has of names where that is not what `base` says. An empty version is a name
            /// that was reported as absent, `nil` one of which it has nothing.
            var differs: [String: String?] = [:]
            var status = Status()

            func known(_ type: ResourceType, _ name: String) -> String? {
                if let version = differs[name] { return version }
                return interest.contains(name) ? base[type, name]?.version : nil
            }

            mutating func set(_ type: ResourceType, _ name: String, to version: String?) {
                if interest.contains(name) ? base[type, name]?.version == version : version == nil {
                    differs[name] = nil
                } else {
                    differs[name] = .some(version)
                }
            }

            /// A dictionary keeps the room that it once needed: after a subscription that is as much as a mesh has names.
            mutating func giveRoomBack() {
                if differs.isEmpty { differs = [:] }
            }
        }

        /// Which removals a response tells of.
        private enum Removals { case none, asked, all }

        private var types: [ResourceType: TypeState] = [:]
        private var nextNonce: UInt64 = 1
        /// New clusters that the client has not asked for the endpoints of yet: until it has, what may send to them waits.
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
            if !isFirst, !request.responseNonce.isEmpty {
                let error = request.hasErrorDetail ? request.errorDetail.message : nil
                if let event = types[type]?.status.answered(request.responseNonce, type: type, error: error) {
                    reaction.events.append(event)
                }
            }
            if isFirst { reaction.events.append(.subscribed(type)) }
            let wasHolding = isHolding
            // What the client refuses it will not ask endpoints for.
            if type == .cluster, request.hasErrorDetail { awaited = [] }
            let hadWildcard = types[type]?.interest.wildcard ?? false
            let asked = follow(request, type, isFirst: isFirst, snapshot)
            let hasWildcard = types[type]?.interest.wildcard ?? false
            guard isFirst || !asked.isEmpty || !request.resourceNamesSubscribe.isEmpty else {
                if wasHolding, !isHolding { reaction.responses = push(snapshot) }
                return reaction
            }
            // A client that comes back with everything it had gets an empty answer: it is in step, and both sides know.
            let isReturning = isFirst && !request.initialResourceVersions.isEmpty
            let opensWildcard = hasWildcard && !hadWildcard
            // A name that is subscribed to again is sent again, except what the client said it has.
            let forced = isFirst ? asked.filter { request.initialResourceVersions[$0] == nil } : asked
            var candidates = asked
            if opensWildcard {
                candidates.formUnion(snapshot[type].keys)
                // Nothing of what the wildcard adds is known to the client yet.
                for name in candidates where types[type]?.interest.names.contains(name) != true {
                    if types[type]?.differs[name] == nil { types[type]?.differs[name] = .some(nil) }
                }
            }
            reaction.responses += responses(
                type, snapshot: snapshot, candidates: candidates, forced: forced,
                evenIfEmpty: isReturning || opensWildcard, removals: wasHolding ? .asked : .all)
            if wasHolding {
                stopAwaiting(snapshot)
                if !isHolding { reaction.responses += push(snapshot) }
            }
            return reaction
        }

        /// Takes over the names of a request.
        /// - Returns: the names to be answered for, whether the client has them or not.
        private mutating func follow(
            _ request: Request, _ type: ResourceType, isFirst: Bool, _ snapshot: XDSSnapshot
        ) -> Set<String> {
            var state = types[type] ?? TypeState()
            if isFirst {
                state.base = snapshot
                for (name, version) in request.initialResourceVersions { state.differs[name] = .some(version) }
                state.interest.wildcard = type.isWildcardByDefault && request.resourceNamesSubscribe.isEmpty
            }
            var asked: Set<String> = []
            for name in request.resourceNamesSubscribe where name != "*" {
                let name = snapshot.interned(name, type)
                // A name that is new to us is new to the client.
                if !state.interest.contains(name), state.differs[name] == nil { state.differs[name] = .some(nil) }
                state.interest.subscribe([name])
                asked.insert(name)
            }
            if request.resourceNamesSubscribe.contains("*") { state.interest.subscribe(["*"]) }
            state.interest.unsubscribe(request.resourceNamesUnsubscribe)
            for name in request.resourceNamesUnsubscribe where name != "*" {
                // Under a wildcard the client waits to hear whether it keeps the resource or not.
                if state.interest.contains(name) { asked.insert(name) } else { state.differs[name] = nil }
            }
            if request.resourceNamesSubscribe.count >= 64 {
                state.interest.names = snapshot.sharing(state.interest.names, type)
            }
            types[type] = state
            return asked
        }

        /// Brings the client to a new snapshot. Listeners and routes wait until the client has asked for the endpoints of
        /// clusters that are new to it (``isHolding``): Envoy answers 503 for a cluster that has none yet. Clusters and
        /// endpoints that are gone are removed last, when no listener and no route refers to them any more.
        package mutating func push(_ snapshot: XDSSnapshot) -> [Response] {
            let names = changes(to: snapshot, [.cluster, .endpoint])
            let warming = changedAssignments(snapshot, names[.cluster] ?? [])
            expect(names[.cluster] ?? [], snapshot)
            var changed = names
            for (type, names) in names { rebase(type, to: snapshot, names) }
            var result = responses(.cluster, changed, snapshot, removals: .none)
            result += responses(.endpoint, changed, snapshot, forced: warming, removals: .none)
            let others = isHolding ? [ResourceType.secret] : ResourceType.allCases.filter { $0 > .endpoint }
            let more = changes(to: snapshot, others)
            changed.merge(more) { first, _ in first }
            for (type, names) in more { rebase(type, to: snapshot, names) }
            for type in others { result += responses(type, changed, snapshot, removals: .all) }
            if isHolding { return result }
            for type in [ResourceType.cluster, .endpoint] {
                result += responses(type, changed, snapshot, removals: .all)
            }
            return result
        }

        /// Sends what is held back, whether the client has asked for endpoints or not.
        package mutating func release(_ snapshot: XDSSnapshot) -> [Response] {
            guard isHolding else { return [] }
            awaited = []
            return push(snapshot)
        }

        private func changes(to snapshot: XDSSnapshot, _ wanted: [ResourceType]) -> [ResourceType: Set<String>] {
            var changed: [ResourceType: Set<String>] = [:]
            for type in wanted {
                guard let state = types[type] else { continue }
                changed[type] = Set(snapshot.difference(from: state.base, type))
            }
            return changed
        }

        private mutating func responses(
            _ type: ResourceType, _ changed: [ResourceType: Set<String>], _ snapshot: XDSSnapshot,
            forced: Set<String> = [], removals: Removals
        ) -> [Response] {
            guard types[type] != nil else { return [] }
            return responses(
                type, snapshot: snapshot, candidates: changed[type] ?? [], forced: forced, evenIfEmpty: false,
                removals: removals)
        }

        /// Notes which of the clusters that differ are new to the client and have endpoints that it does not follow.
        private mutating func expect(_ changed: Set<String>, _ snapshot: XDSSnapshot) {
            guard let clusters = types[.cluster] else { return }
            for name in changed where clusters.interest.contains(name) && snapshot[.cluster, name] != nil {
                if clusters.known(.cluster, name)?.isEmpty ?? true { awaited.insert(name) }
            }
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

        /// Makes `snapshot` what the client's state is told against; what the client has stays the same.
        private mutating func rebase(_ type: ResourceType, to snapshot: XDSSnapshot, _ names: Set<String>) {
            guard var state = types[type] else { return }
            let known = names.map { ($0, state.known(type, $0)) }
            state.base = snapshot
            for (name, version) in known { state.set(type, name, to: version) }
            state.giveRoomBack()
            types[type] = state
        }

        /// Load assignments of clusters that the next push changes: Envoy warms such a cluster, and waits for its
        /// endpoints to be sent again.
        private func changedAssignments(_ snapshot: XDSSnapshot, _ changed: Set<String>) -> Set<String> {
            guard let clusters = types[.cluster], let endpoints = types[.endpoint] else { return [] }
            return Set(
                changed.compactMap { name in
                    guard clusters.interest.contains(name), snapshot[.cluster, name] != nil else { return nil }
                    return snapshot.assignment(ofCluster: name)
                }.filter(endpoints.interest.contains))
        }

        /// - Parameter candidates: names that may not be as the client has them; those in `differs` are looked at too.
        private mutating func responses(
            _ type: ResourceType, snapshot: XDSSnapshot, candidates: Set<String>, forced: Set<String>,
            evenIfEmpty: Bool, removals: Removals
        ) -> [Response] {
            guard var state = types[type] else { return [] }
            var response = Response()
            response.typeURL = type.typeURL
            for name in candidates.union(forced).union(state.differs.keys).sorted() {
                let wanted = state.interest.contains(name) ? snapshot[type, name] : nil
                let known = state.known(type, name)
                if let wanted {
                    let isNews = forced.contains(name) || known != wanted.version
                    state.set(type, name, to: wanted.version)
                    guard isNews else { continue }
                    var encoded = Envoy_Service_Discovery_V3_Resource()
                    encoded.name = name
                    encoded.version = wanted.version
                    encoded.resource = wanted.any
                    response.resources.append(encoded)
                } else if removals == .all || removals == .asked && (candidates.contains(name) || forced.contains(name))
                {
                    let isHeld = known?.isEmpty == false
                    let isUnheardOf = known == nil && state.interest.names.contains(name)
                    guard forced.contains(name) || isHeld || isUnheardOf else { continue }
                    response.removedResources.append(name)
                    state.set(type, name, to: state.interest.contains(name) ? "" : nil)
                }
            }
            state.giveRoomBack()
            types[type] = state
            if response.resources.isEmpty, response.removedResources.isEmpty, !evenIfEmpty { return [] }
            response.nonce = String(nextNonce)
            nextNonce += 1
            response.systemVersionInfo = snapshot.version(of: type)
            types[type]?.status.sent(response.systemVersionInfo, nonce: response.nonce)
            return [response]
        }
    }
}
