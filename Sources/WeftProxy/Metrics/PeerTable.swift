import WeftHTTP

/// The clients that one worker has met, by the principal their certificate proves and the node id they give.
///
/// Loop-confined value. Metadata is decoded when it first comes or changes. What the certificate proves wins over what
/// the metadata claims, and a client can fill the table only up to its limit.
struct PeerTable {
    /// A client: who it proved to be, and what it says about itself.
    struct Peer: Hashable {
        var principal = ""
        var labels = WorkloadLabels()
    }
    /// What a connection's last request said of its client: hearing it again costs a comparison.
    struct Recent {
        fileprivate let id: [UInt8]
        fileprivate let metadata: [UInt8]
        fileprivate let index: Int
    }
    private struct Key: Hashable {
        var principal: String
        var id: String
    }
    private struct Known {
        var index: Int
        var metadata: [UInt8]
    }

    private let limit: Int
    private var peers = [Peer()]
    private var known: [Key: Known] = [:]
    /// Peers that said nothing of themselves, by the principal they proved and their address.
    private var byAddress: [Key: Int] = [:]
    private var indices: [Peer: Int] = [:]

    init(limit: Int = 4096) { self.limit = limit }

    subscript(index: Int) -> Peer { peers.indices.contains(index) ? peers[index] : Peer() }

    /// A peer that proves a name and says nothing else; `nil` is the peer without identity, 0.
    mutating func index(principal: String?) -> Int {
        guard let principal else { return 0 }
        let key = Key(principal: principal, id: "")
        if let known = known[key] { return known.index }
        return add(Peer(principal: principal, labels: WorkloadLabels(principal: principal)), key, metadata: [])
    }

    /// Whether a peer has told nothing of its workload.
    func isNameless(_ index: Int) -> Bool { !peers.indices.contains(index) || peers[index].labels.workload.isEmpty }

    /// A peer that said nothing of itself, as the workload that is known to have its address.
    /// - Parameter workload: who has the address; asked once, until ``forgetAddresses()``.
    mutating func index(principal: String?, address: String, workload: (String) -> WorkloadLabels?) -> Int {
        let key = Key(principal: principal ?? "", id: address)
        if let index = byAddress[key] { return index }
        let index = named(principal: principal, workload(address)) ?? self.index(principal: principal)
        if byAddress.count >= limit { byAddress = [:] }
        byAddress[key] = index
        return index
    }

    /// - Returns: `nil` for an address that nobody is known to have, or another than the principal's namespace has.
    private mutating func named(principal: String?, _ labels: WorkloadLabels?) -> Int? {
        guard let labels else { return nil }
        let proved = WorkloadLabels(principal: principal ?? "").namespace
        guard proved.isEmpty || proved == labels.namespace else { return nil }
        let peer = Peer(principal: principal ?? "", labels: labels)
        if let index = indices[peer] { return index }
        guard peers.count < 2 * limit else { return nil }
        peers.append(peer)
        indices[peer] = peers.count - 1
        return peers.count - 1
    }

    /// Addresses may belong to others now.
    mutating func forgetAddresses() { byAddress.removeAll(keepingCapacity: true) }

    /// A client's proxy that introduced itself on a plain connection.
    mutating func index(principal: String, introduction: [UInt8]) -> Int {
        guard let told = PeerMetadata.decodeIntroduction(introduction) else { return index(principal: principal) }
        var labels = told.labels
        let proved = WorkloadLabels(principal: principal).namespace
        if !proved.isEmpty { labels.namespace = proved }
        let peer = Peer(principal: principal, labels: labels)
        if let index = indices[peer] { return index }
        guard peers.count < 2 * limit else { return index(principal: principal) }
        peers.append(peer)
        indices[peer] = peers.count - 1
        return peers.count - 1
    }

    /// Takes the peer's metadata out of a request's headers, whoever sent it, and believes it of a verified peer only.
    /// - Parameter recent: the connection's; the principal of one connection does not change.
    mutating func take(from headers: inout HeaderBlock, principal: String?, recent: inout Recent?) -> Int {
        guard headers.mayContain(PeerMetadata.headers) else {
            if let recent, recent.metadata.isEmpty { return recent.index }
            let index = index(principal: principal)
            recent = Recent(id: [], metadata: [], index: index)
            return index
        }
        if let recent, !recent.metadata.isEmpty, headers.isFirst(PeerMetadata.header, recent.metadata),
            headers.isFirst(PeerMetadata.idHeader, recent.id)
        {
            headers.remove(PeerMetadata.idHeader)
            headers.remove(PeerMetadata.header)
            return recent.index
        }
        let id = headers.string(PeerMetadata.idHeader)
        let value = headers[PeerMetadata.header]
        defer {
            headers.remove(PeerMetadata.idHeader)
            headers.remove(PeerMetadata.header)
        }
        guard let principal, let id, !id.isEmpty, id.utf8.count <= 512 else { return index(principal: principal) }
        let key = Key(principal: principal, id: id)
        let old = known[key]
        guard let value else { return old?.index ?? index(principal: principal) }
        if let old, old.metadata.elementsEqual(value) {
            recent = Recent(id: Array(id.utf8), metadata: old.metadata, index: old.index)
            return old.index
        }
        guard known.count < limit, peers.count < 2 * limit, var labels = PeerMetadata.decode(value) else {
            return old?.index ?? index(principal: principal)
        }
        let proved = WorkloadLabels(principal: principal).namespace
        if !proved.isEmpty { labels.namespace = proved }
        return add(Peer(principal: principal, labels: labels), key, metadata: Array(value))
    }

    private mutating func add(_ peer: Peer, _ key: Key, metadata: [UInt8]) -> Int {
        peers.append(peer)
        known[key] = Known(index: peers.count - 1, metadata: metadata)
        return peers.count - 1
    }
}
