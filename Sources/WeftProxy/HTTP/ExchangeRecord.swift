import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// The request as it came, as far as somebody asks for it later. Its headers are changed in place, not copied.
struct OriginalRequest {
    let method: HTTPMethod
    let path: ByteBuffer
    let authority: ByteBuffer
    let version: HTTPProtocolVersion
    let isUpgrade: Bool
    let isGRPC: Bool
    var target: String { String(buffer: path) }
    var host: String { String(buffer: authority) }

    init(_ head: __shared RequestHead) {
        method = head.method
        path = head.path
        authority = head.authority
        version = head.version
        isUpgrade = head.method.isConnect || head.headers.contains(.upgrade)
        isGRPC = head.isGRPC
    }
}

/// What the access log and the metrics say about an exchange.
struct ExchangeRecord {
    let started: NIODeadline
    var reporter: StatsFilter.Reporter?
    var status = 0
    var flag = "-"
    var details = "-"
    var bytesReceived = 0
    var bytesSent = 0
    var upstreamServiceMilliseconds: Int64?
    /// The endpoint tried last.
    var host: CompiledHost?
    var upstreamHost: String? { host?.name }
    /// The client, in the worker's ``PeerTable``.
    var peer = 0
    var upstreamLocal: String?
    var grpcStatus: String?
    /// `HTTP/1.1` or `HTTP/2`, of the last try.
    var upstreamProtocol: String?
    /// What came was no head: there is nothing to tell of it.
    var hasNoHead = false
    /// A health check filter took it for a check.
    var isHealthCheck = false
    var times = ExchangeTimes()
    /// The client, when `x-forwarded-for` names another than the peer.
    var client: String?
    /// Kept when an access log asks for them (``KeptForLogs``).
    var responseHeaders: HeaderBlock?
    /// What few exchanges have; made when there is something to keep.
    private(set) var extras: Extras?

    /// - Parameter started: When the first header came.
    init(started: NIODeadline) { self.started = started }

    /// Where an exchange's rarer facts go. Belongs to one record, whose copies for logs only read it.
    final class Extras {
        var transportFailure: String?
        var provenance: Provenance?
        /// Kept when an access log asks for them (``KeptForLogs``).
        var responseTrailers: HeaderBlock?
        var localReplyBody: String?
        /// Of an internal redirect: the route that it led to, and that one's cluster.
        var routedName: String?
        var routedCluster: String?
        /// Of the connection to the upstream, kept when a log asks for it.
        var upstreamTLS: TLSFacts?
        /// How long the last try waited for its connection, kept likewise.
        var poolNanoseconds: Int64?
        /// Endpoints that requests went to, each once, in order; kept likewise.
        var attempted: [CompiledHost] = []
        /// What shadow rules would have decided; not enforced.
        var shadowPolicies: [RBACShadow] = []
        /// By the name of a route, those that internal redirects have led to from there.
        var followed: [String: Set<String>] = [:]
    }

    mutating func keptExtras() -> Extras {
        if let extras { return extras }
        let made = Extras()
        extras = made
        return made
    }

    /// What a log wants to know of the connection that a try has got.
    mutating func keep(_ connection: UpstreamHTTPConnection, to host: CompiledHost, since start: NIODeadline) {
        let extras = keptExtras()
        extras.upstreamTLS = connection.tlsFacts
        extras.poolNanoseconds = (.now() - start).nanoseconds
        if !extras.attempted.contains(where: { $0 === host }) { extras.attempted.append(host) }
    }

    /// Adds a response flag; they are told in the order in which they came.
    mutating func note(flag new: String) {
        guard new != "-" else { return }
        if flag == "-" {
            flag = new
        } else if !flag.split(separator: ",").contains(where: { $0 == new }) {
            flag += "," + new
        }
    }
}

/// Moments of an exchange after its start; `nil` is not yet.
struct ExchangeTimes {
    /// The last try began to be sent.
    var upstreamStart: NIODeadline?
    var responseStart: NIODeadline?
}
