import CWeftLinux
import NIOCore
import NIOPosix
import Synchronization
import WeftIR
import WeftTransport

/// Which listener takes the connections of a socket; changes when another listener gets the address. Thread-safe.
final class SocketOwner: Sendable {
    /// The address, as ``WantedAddress/key``.
    let key: String
    /// Connections that may wait to be accepted.
    let backlog: Int32
    private let current: Mutex<Entrance>
    init(_ entrance: Entrance, key: String, backlog: Int32 = 4096) {
        self.key = key
        self.backlog = backlog
        current = Mutex(entrance)
    }
    var entrance: Entrance {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
    var listener: String { entrance.listener }

    /// The listener that serves what is accepted now. A worker takes over a snapshot before the socket is told of its new
    /// listener: in between the snapshot says whose the address is.
    func listener(in snapshot: Snapshot) -> String {
        let name = listener
        if snapshot.listeners[name] != nil { return name }
        return WantedAddress.all(snapshot.configuration).0[key]?.listener ?? name
    }
}

/// The sockets of one address: one per worker, or copies of one for a Unix path.
struct OpenAddress {
    let owner: SocketOwner
    var channels: [any Channel]
    /// Taken over, and not accepted on yet.
    var waiting: [CInt] = []
}

/// An address that is to be listened on.
struct WantedAddress {
    let key: String
    let address: Address
    let listener: String
    /// For sockets that are opened; those that stand keep what they have.
    let options: [WeftIR.SocketOption]
    let backlog: Int32

    private init(_ address: Address, key: String, of listener: Listener) {
        self.key = key
        self.address = address
        self.listener = listener.name
        options = listener.socketOptions
        backlog = Int32(clamping: listener.backlog ?? 4096)
    }

    /// All addresses of a configuration by key; the first listener by name has an address that two want.
    /// - Returns: The addresses, and a sentence for each listener that does not get its own, by its name.
    static func all(_ configuration: ProxyConfiguration) -> ([String: WantedAddress], [String: String]) {
        var wanted: [String: WantedAddress] = [:]
        var refused: [String: String] = [:]
        for listener in configuration.listeners.values.sorted(by: { $0.name < $1.name }) where listener.bindToPort {
            for (index, address) in ([listener.address] + listener.additionalAddresses).enumerated() {
                guard let key = key(address, "\(listener.name) \(index)") else { continue }
                if let other = wanted[key]?.listener {
                    refused[listener.name] = "\(key) is the address of listener \(other)"
                } else {
                    wanted[key] = WantedAddress(address, key: key, of: listener)
                }
            }
        }
        return (wanted, refused)
    }

    /// - Parameter place: Tells sockets apart whose port the system chooses.
    private static func key(_ address: Address, _ place: String) -> String? {
        switch address {
        case .ip(let ip, let port): port == 0 ? "\(ip):0 \(place)" : "\(ip):\(port)"
        case .unix(let path, _): "unix:\(path)"
        case .hostname, .internalListener: nil
        }
    }
}

extension DataPlane {
    /// Opens what is new, closes what is gone, and gives sockets whose listener has another name now to that one: an
    /// address that stays is never closed.
    /// - Returns: Why listeners could not be opened, by name.
    func listen(_ configuration: ProxyConfiguration) async -> [String: String] {
        var (wanted, failures) = WantedAddress.all(configuration)
        let isDraining = state.withLock { $0.isDraining }
        if isDraining { return [:] }
        let gone = state.withLock { state in
            let gone = state.sockets.filter { wanted[$0.key] == nil }
            for key in gone.keys { state.sockets[key] = nil }
            for (key, open) in state.sockets {
                if let name = wanted[key]?.listener, name != open.owner.listener {
                    open.owner.entrance = Entrance(gate: gate, listener: name)
                }
                wanted[key] = nil
            }
            return gone.values.flatMap(\.channels)
        }
        for channel in gone { try? await channel.close() }
        for one in wanted.values.sorted(by: { $0.key < $1.key }) {
            do {
                let open = try await open(one)
                state.withLock { $0.sockets[one.key] = open }
            } catch { failures[one.listener] = "\(error)" }
        }
        if state.withLock({ $0.isPaused }) { await pauseAccepting(true) }
        return failures
    }

    private func open(_ wanted: WantedAddress) async throws -> OpenAddress {
        let owner = SocketOwner(
            Entrance(gate: gate, listener: wanted.listener), key: wanted.key, backlog: wanted.backlog)
        var open = OpenAddress(owner: owner, channels: [])
        let taken = parent?.sockets(for: wanted.key) ?? []
        if isWaitingForParent {
            // Two processes must not wait on one socket: who loses finds nothing to accept. The kernel keeps what comes.
            open.waiting = taken
        } else {
            for (index, descriptor) in taken.enumerated() {
                open.channels.append(try await accept(descriptor, workers[index % workers.count], owner))
            }
        }
        switch wanted.address {
        case .ip(let host, var port):
            for worker in workers.dropFirst(taken.count) {
                let (descriptor, bound) = try ListeningSocket.open(
                    host: host, port: port, backlog: wanted.backlog, options: wanted.options)
                port = bound
                open.channels.append(try await accept(descriptor, worker, owner))
            }
            if let inherited = options.inherited[port] {
                open.channels.append(try await accept(try ListeningSocket.duplicate(inherited), nil, owner))
            }
        case .unix(let path, let mode):
            if taken.isEmpty {
                open.channels.append(try await accept(try ListeningSocket.open(path: path, mode: mode), nil, owner))
            }
        case .hostname, .internalListener: break
        }
        return open
    }

    /// Accepts on the sockets that were taken over, once the process before this one does not any more.
    func acceptOnTakenSockets() async {
        let waiting = state.withLock { state in
            state.isWaitingForParent = false
            let waiting = state.sockets.filter { !$0.value.waiting.isEmpty }
            for key in waiting.keys { state.sockets[key]?.waiting = [] }
            return waiting
        }
        for (key, open) in waiting {
            var channels: [any Channel] = []
            let isShared = key.hasPrefix("unix:")
            for (index, descriptor) in open.waiting.enumerated() {
                let worker = isShared ? nil : workers[index % workers.count]
                if let channel = try? await accept(descriptor, worker, open.owner) { channels.append(channel) }
            }
            let accepted = channels
            state.withLock { $0.sockets[key]?.channels += accepted }
        }
    }

    private var isWaitingForParent: Bool { state.withLock { $0.isWaitingForParent } }

    /// - Parameter worker: Whose loop accepts and serves; `nil`: the first one accepts and all serve in turn.
    private func accept(_ descriptor: CInt, _ worker: Worker?, _ owner: SocketOwner) async throws -> any Channel {
        let serving = worker.map { [$0] } ?? workers
        return try await ListeningSocket.accept(
            on: descriptor, eventLoop: serving[0].eventLoop, children: worker == nil ? group : nil,
            backlog: owner.backlog
        ) { channel in
            channel.eventLoop.makeCompletedFuture {
                let loop = channel.eventLoop
                guard let worker = serving.first(where: { $0.eventLoop === loop }) else { return }
                try channel.pipeline.syncOperations.addHandler(AcceptHandler(worker: worker, owner: owner))
            }
        }.get()
    }

    /// Copies of the listening sockets of an address, for the process that takes over.
    func copies(ofSocketsFor key: String) -> [CInt] {
        let channels = state.withLock { $0.sockets[key]?.channels ?? [] }
        return channels.compactMap { channel in
            try? channel.eventLoop.submit {
                try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
                    try ListeningSocket.duplicate($0)
                }
            }.wait()
        }.compactMap { $0 }
    }

    /// Closes listening sockets: all, or those of some listeners.
    func closeSockets(where isMeant: (String) -> Bool = { _ in true }) async {
        let channels = state.withLock { state in
            let meant = state.sockets.filter { isMeant($0.value.owner.listener) }
            for key in meant.keys { state.sockets[key] = nil }
            return meant.values.flatMap(\.channels)
        }
        for channel in channels { try? await channel.close() }
    }
}
