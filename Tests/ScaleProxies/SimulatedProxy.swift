import Synchronization

/// What one proxy knows, from one connection to the next. Pure but for its lock: responses in, requests out.
///
/// Clusters and listeners as a whole, endpoints and routes by name, as `weft-proxy` and Envoy ask for them.
final class SimulatedProxy: Sendable {
    private struct State {
        /// Versions by name of what has been taken, by type.
        var versions: [String: [String: String]] = [:]
        /// Types asked for and not answered on this connection.
        var waiting: Set<String> = []
        var asked: [String: Set<String>] = [:]
    }
    let index: Int
    /// `Node.id`.
    private let node: String
    private let state = Mutex(State())

    init(index: Int, node: String) {
        self.index = index
        self.node = node
    }

    /// What is sent on a new stream. Whoever comes back says what it has.
    func opening() -> [DeltaWire.Request] {
        state.withLock { state in
            state.asked = [:]
            state.waiting = [DeltaWire.cluster, DeltaWire.listener]
            var requests = [DeltaWire.cluster, DeltaWire.listener].map { type in
                DeltaWire.Request(typeURL: type, known: state.versions[type] ?? [:])
            }
            requests[0].node = node
            for type in [DeltaWire.endpoint, DeltaWire.route] {
                guard let known = state.versions[type] else { continue }
                state.waiting.insert(type)
                state.asked[type] = Set(known.keys)
                requests.append(DeltaWire.Request(typeURL: type, subscribe: Array(known.keys), known: known))
            }
            return requests
        }
    }

    /// Takes a response over.
    /// - Returns: the confirmation, and what the response makes the proxy ask for; whether nothing is outstanding now.
    func take(_ response: DeltaWire.Response) -> (requests: [DeltaWire.Request], isSynced: Bool) {
        state.withLock { state in
            let type = response.typeURL
            for (name, version) in response.resources { state.versions[type, default: [:]][name] = version }
            for name in response.removed { state.versions[type]?[name] = nil }
            state.waiting.remove(type)
            var requests = [DeltaWire.Request(typeURL: type, nonce: response.nonce)]
            let names = response.resources.map(\.name)
            if type == DeltaWire.cluster {
                requests += Self.follow(DeltaWire.endpoint, names.filter { $0.hasPrefix("outbound|") }, &state)
            } else if type == DeltaWire.listener {
                let tables = names.filter { $0.hasPrefix("0.0.0.0_") }.map { String($0.dropFirst(8)) }
                requests += Self.follow(DeltaWire.route, tables, &state)
            }
            return (requests, state.waiting.isEmpty)
        }
    }

    private static func follow(_ type: String, _ names: [String], _ state: inout State) -> [DeltaWire.Request] {
        let new = names.filter { state.asked[type, default: []].insert($0).inserted }
        guard !new.isEmpty else { return [] }
        state.waiting.insert(type)
        return [DeltaWire.Request(typeURL: type, subscribe: new)]
    }
}
