import Synchronization
package import WeftCore

/// What a viewer of the tap gets.
package enum TapEvent: Sendable {
    /// The proxies that were asked, once at the start.
    case hello(proxies: Int)
    case request(JSONValue)
    /// Entries that were left out because there were too many.
    case lost(Int)
    /// Nothing, so that a viewer who has gone is noticed.
    case alive
}

/// Why a tap was not opened.
package struct TapRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String
}

/// One viewer of the tap, from opening to ``TapHub/close(_:)``.
package struct TapView: Sendable {
    package let id: Int
    package let events: AsyncStream<TapEvent>
}

/// Brings those who watch requests together with the proxies that serve them. Thread-safe.
///
/// Holds nothing but orders and what is on its way to a viewer: at most ``backlog`` events each. A viewer who is slower
/// is told how many he missed. Proxies get an order only while somebody watches, and are trusted with nothing but their
/// own requests: whose they are is what the proxy has proved at the start of its stream.
package final class TapHub: Sendable {
    /// Viewers at a time.
    package static let viewerLimit = 16
    static let backlog = 2000

    fileprivate struct Viewer {
        let filter: TapFilter
        let continuation: AsyncStream<TapEvent>.Continuation
        var second: Int64 = 0
        var told = 0
        var lost = 0
    }
    private struct Proxy {
        let node: TapNode
        let orders: AsyncStream<[UInt8]>.Continuation
    }
    private struct State {
        var viewers: [Int: Viewer] = [:]
        var proxies: [Int: Proxy] = [:]
        var next = 1

        mutating func number() -> Int {
            defer { next += 1 }
            return next
        }

        /// Tells every proxy that is concerned what it is to tell from now on.
        func order(_ ids: some Sequence<Int>) {
            for id in ids {
                guard let proxy = proxies[id] else { continue }
                let orders = viewers.filter { $0.value.filter.concerns(proxy.node) }
                    .map { TapOrder(id: $0.key, filter: $0.value.filter) }
                proxy.orders.yield(TapOrder.bytes(orders.sorted { $0.id < $1.id }))
            }
        }

        func concerned(by filter: TapFilter) -> [Int] {
            proxies.filter { filter.concerns($0.value.node) }.map(\.key)
        }
    }
    private let state = Mutex(State())
    /// Whole seconds, for the rate.
    private let now: @Sendable () -> Int64

    package init(
        now: @escaping @Sendable () -> Int64 = { TapHub.started.duration(to: .now).components.seconds }
    ) { self.now = now }

    private static let started = ContinuousClock.now

    // MARK: - Viewers

    /// - Throws: ``TapRefusal`` when too many watch already.
    package func open(_ filter: TapFilter) throws(TapRefusal) -> TapView {
        let (events, continuation) = AsyncStream.makeStream(
            of: TapEvent.self, bufferingPolicy: .bufferingOldest(Self.backlog))
        let id = state.withLock { state -> Int? in
            guard state.viewers.count < Self.viewerLimit else { return nil }
            let id = state.number()
            state.viewers[id] = Viewer(filter: filter, continuation: continuation)
            let proxies = state.concerned(by: filter)
            continuation.yield(.hello(proxies: proxies.count))
            state.order(proxies)
            return id
        }
        guard let id else {
            throw TapRefusal(
                description: "\(Self.viewerLimit) people watch requests already: close one of the taps and try again")
        }
        return TapView(id: id, events: events)
    }

    /// Sends what was left out, or a sign of life: so a connection that has gone is noticed.
    package func keepAlive(_ view: TapView) { state.withLock { $0.viewers[view.id]?.beat() } }

    package func close(_ view: TapView) {
        state.withLock { state in
            guard let viewer = state.viewers.removeValue(forKey: view.id) else { return }
            viewer.continuation.finish()
            state.order(state.concerned(by: viewer.filter))
        }
    }

    package var viewerCount: Int { state.withLock { $0.viewers.count } }
    package var proxyCount: Int { state.withLock { $0.proxies.count } }

    // MARK: - Proxies

    /// A proxy's stream has begun; only the newest orders wait for it.
    func join(_ node: TapNode) -> (id: Int, orders: AsyncStream<[UInt8]>) {
        let (orders, continuation) = AsyncStream.makeStream(of: [UInt8].self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state in
            let id = state.number()
            state.proxies[id] = Proxy(node: node, orders: continuation)
            // Also without a viewer: the first message says what the control plane can do.
            state.order([id])
            return id
        }
        return (id, orders)
    }

    func leave(_ id: Int) { state.withLock { $0.proxies.removeValue(forKey: id) }?.orders.finish() }

    func take(_ message: TapMessage, from id: Int) {
        let second = now()
        state.withLock { state in
            guard let node = state.proxies[id]?.node else { return }
            var entry = message.entry
            entry?["proxy"] = .string(node.name)
            for viewer in message.viewers {
                guard state.viewers[viewer]?.filter.concerns(node) == true, let entry else { continue }
                state.viewers[viewer]?.tell(entry, in: second)
            }
            for (viewer, count) in message.lost where state.viewers[viewer]?.filter.concerns(node) == true {
                state.viewers[viewer]?.lose(count)
            }
        }
    }
}

extension TapHub.Viewer {
    fileprivate mutating func tell(_ entry: JSONValue, in second: Int64) {
        if second != self.second { (self.second, told) = (second, 0) }
        guard told < filter.rate else { return lose(1) }
        told += 1
        if case .dropped = continuation.yield(.request(entry)) { return lose(1) }
        if lost > 0 { beat() }
    }

    fileprivate mutating func beat() {
        guard case .enqueued = continuation.yield(lost > 0 ? .lost(lost) : .alive) else { return }
        lost = 0
    }

    fileprivate mutating func lose(_ count: Int) {
        let (sum, isTooMuch) = lost.addingReportingOverflow(count)
        lost = isTooMuch ? .max : sum
    }
}
