/// What the server side of one ADS stream knows about its client. Pure: requests and snapshots in, responses out.
///
/// ``StateOfTheWorld`` and ``Delta`` are the protocol's two variants; both send in the order of ``ResourceType``.
package enum ServerSubscription {
    /// What a request told about the client's state.
    package enum Event: Sendable, Hashable {
        case subscribed(ResourceType)
        case acknowledged(ResourceType, version: String)
        case rejected(ResourceType, version: String, reason: String)
        /// A type that this server does not have; the request is ignored.
        case unknownType(String)
    }

    /// What to send, in order, and what was learnt.
    package struct Reaction<Response: Sendable & Equatable>: Sendable, Equatable {
        package var responses: [Response] = []
        package var events: [Event] = []
    }

    /// The state of one type on one stream, for `proxy-status`.
    package struct Status: Sendable, Hashable {
        package enum Sync: String, Sendable, Hashable { case neverSent, synced, stale, rejected }
        package var sentVersion: String?
        package var acknowledgedVersion: String?
        package var rejection: String?
        var nonce = ""
        /// Versions by nonce of responses that have not been answered.
        var pending: [String: String] = [:]

        package var sync: Sync {
            if sentVersion == nil { return .neverSent }
            if rejection != nil { return .rejected }
            return sentVersion == acknowledgedVersion ? .synced : .stale
        }

        mutating func sent(_ version: String, nonce: String) {
            sentVersion = version
            self.nonce = nonce
            pending[nonce] = version
        }

        /// - Returns: `nil` if the nonce is none of this stream's, or was answered before.
        mutating func answered(_ nonce: String, type: ResourceType, error: String?) -> Event? {
            guard let version = pending.removeValue(forKey: nonce) else { return nil }
            if let error {
                rejection = error
                return .rejected(type, version: version, reason: error)
            }
            if nonce == self.nonce { rejection = nil }
            acknowledgedVersion = version
            return .acknowledged(type, version: version)
        }
    }

    /// Which names of a type the client wants.
    struct Interest: Sendable {
        var wildcard = false
        var names: Set<String> = []

        func contains(_ name: String) -> Bool { wildcard || names.contains(name) }

        mutating func subscribe(_ added: [String]) {
            for name in added {
                if name == "*" { wildcard = true } else { names.insert(name) }
            }
        }

        mutating func unsubscribe(_ removed: [String]) {
            for name in removed {
                if name == "*" { wildcard = false } else { names.remove(name) }
            }
        }
    }
}
