/// Every hand-written case, by feature.
enum HandWritten {
    static let cases =
        routing + headerMatching + rewriting + replying + manipulating + timing + retrying + mirroring + filtering
        + balancing + paths + forwarding + protocols + tcp + authorizingByHTTP + authorizingByGRPC + limiting
        + processing + limits + hedging + redirecting + trusting + observing + bodies + tunnelling + downstreamTLS
        + upstreamTLS + upstreamLimits + tunnels + gates + subsets + scoping + tables + chains + grpcCases + http2Cases
        + overHTTP2 + [upstreamLog]
}

/// One route of a table; the rest of the table answers 404 by having no route.
func route(_ match: String, _ action: String = "route: {cluster: a}", _ more: String = "") -> String {
    "routes:\n- match: {\(match)}\n  \(action)\n" + (more.isEmpty ? "" : indent(more, 2) + "\n")
}

/// `routes` from one-line routes.
func routes(_ lines: String...) -> String { "routes:\n" + lines.map { "- {\($0)}\n" }.joined() }
