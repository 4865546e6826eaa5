import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// Redirects of upstreams that are followed here (`internal_redirect_policy`): the request starts anew with another
/// address, through all filters, and the client sees the last answer alone.
extension Exchange {
    /// - Returns: False when the response is the client's.
    func redirectInternally(by response: ResponseHead) -> Bool {
        guard let policy = action?.internalRedirect, policy.statuses.contains(response.status), !responseStarted,
            requestEnded, keepsBody, redirects < policy.maxRedirects, !isUpgrade,
            let target = response.headers.string(.location).flatMap(InternalTarget.init)
        else { return false }
        let isHTTPS = connection.connection.info.isTLS && head.headers.isExactly(.forwardedProto, "https")
        guard policy.allowsCrossScheme || target.isHTTPS == isHTTPS else { return false }
        var next = head
        for name in policy.headersToCopy {
            let name = HeaderName(name)
            next.headers.remove(name)
            for value in response.headers.values(name) { next.headers.append(name, value) }
        }
        next.host = target.authority
        next.target = target.path
        next.scheme = target.isHTTPS ? .https : .http
        let table = connection.manager.scopes == nil ? routeTable : scopedTable(of: next)
        guard let found = table?.route(next, random: worker.decisions.next()) else { return false }
        // Logs tell of where the request was to go on, whether or not it may.
        record.keptExtras().routedName = found.route.name
        guard policy.predicates.allSatisfy({ accepts(found.route.name, isHTTPS: isHTTPS, target, by: $0) }) else {
            record.keptExtras().routedCluster = clusterName(by: found)
            return false
        }
        next.headers.set("x-envoy-original-url", "\(isHTTPS ? "https" : "http")://\(head.host)\(head.target)")
        let dropsBody = response.status == 303 && head.method != .get && head.method != .head
        if dropsBody {
            next.method = .get
            next.headers.remove(.contentLength)
        }
        goOn(with: next, status: Int(response.status), body: dropsBody ? [] : body)
        return true
    }

    private func accepts(
        _ route: String, isHTTPS: Bool, _ target: InternalTarget, by predicate: RouteAction.RedirectPredicate
    ) -> Bool {
        switch predicate {
        case .allowListedRoutes(let names): return names.contains(route)
        case .safeCrossScheme: return isHTTPS || !target.isHTTPS
        case .previousRoutes:
            let extras = record.keptExtras()
            return extras.followed[decision?.route.name ?? "", default: []].insert(route).inserted
        }
    }

    private func goOn(with next: RequestHead, status: Int, body: [ByteBuffer]) {
        let follower = Exchange(connection, stream: stream, head: next, endStream: true)
        follower.redirects = redirects + 1
        follower.body = body
        follower.bodyBytes = body.reduce(0) { $0 + $1.readableBytes }
        follower.requestTrailers = requestTrailers
        // What is sent again counts again.
        follower.record.bytesReceived = record.bytesReceived + follower.bodyBytes
        follower.record.client = record.client
        follower.record.peer = record.peer
        if let followed = record.extras?.followed, !followed.isEmpty {
            follower.record.keptExtras().followed = followed
        }
        successor = follower
        // The log tells of the request as it goes on.
        head = next
        record.status = status
        record.details = "internal_redirect"
        record.keptExtras().routedCluster = follower.resolveRoute().flatMap(follower.clusterName)
        cluster = nil
        self.body = []
        finish()
        follower.runFilters()
    }

    private func clusterName(by decision: RouteDecision) -> String? {
        guard case .forward(let action) = decision.route.action else { return nil }
        return ClusterChoice.name(action.cluster, random: 0, header: { header($0) })
    }

    /// With `scoped_routes`, the table for a request with this head.
    func scopedTable(of head: RequestHead) -> RouteTable? {
        connection.manager.scopes?.table(of: head, in: worker.snapshot)
    }
}

/// An absolute `http` or `https` URL, cut into what a request needs of it.
struct InternalTarget {
    var isHTTPS: Bool
    var authority: String
    /// Path and query; `/` when the URL has none.
    var path: String

    init?(_ url: String) {
        let lower = url.lowercased()
        guard let scheme = ["http://", "https://"].first(where: { lower.hasPrefix($0) }) else { return nil }
        isHTTPS = scheme == "https://"
        let rest = url.dropFirst(scheme.count).prefix { $0 != "#" }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        authority = String(rest[..<end])
        guard !authority.isEmpty, authority.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != 64 }),
            rest[end...].utf8.allSatisfy({ $0 > 32 && $0 != 127 })
        else { return nil }
        let target = rest[end...]
        path = target.isEmpty ? "/" : target.hasPrefix("?") ? "/" + target : String(target)
    }
}
