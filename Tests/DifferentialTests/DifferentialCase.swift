/// One thing to compare: configuration, and requests that show it.
///
/// Without ``manager``, ``filters``, ``listener`` and ``chain`` the case is a virtual host of the listener that all such
/// cases share; otherwise it gets a listener of its own.
struct DifferentialCase: Sendable {
    /// Names the case everywhere: test, virtual host, domain `NAME.test`, line of `known-differences.txt`.
    var name: String
    /// Fields of the virtual host (YAML), `routes` among them.
    var virtualHost: String
    /// Further fields of the HTTP connection manager.
    var manager: String?
    /// `http_filters` before the router.
    var filters: String?
    /// Further fields of the listener.
    var listener: String?
    /// Replaces the only filter chain (fields of `filter_chains[0]`).
    var chain: String?
    /// Further clusters; their names must be the case's own.
    var clusters: String
    var requests: [Sending]
    /// Further access logs; `{logpath}` is the file that is compared.
    var logs: [String] = []

    var needsListener: Bool { !logs.isEmpty || manager != nil || filters != nil || listener != nil || chain != nil }
    var domain: String { name + ".test" }

    /// With further access logs, each as YAML in one line.
    func logging(_ logs: String...) -> DifferentialCase {
        var copy = self
        copy.logs = logs
        return copy
    }

    /// Everything goes to upstream a.
    static let toA = "routes: [{match: {prefix: /}, route: {cluster: a}}]"

    init(
        _ name: String, manager: String? = nil, filters: String? = nil, listener: String? = nil, chain: String? = nil,
        clusters: String = "", _ requests: Sending...
    ) {
        self.init(
            name, Self.toA, manager: manager, filters: filters, listener: listener, chain: chain, clusters: clusters,
            requests: requests)
    }

    init(
        _ name: String, _ virtualHost: String, manager: String? = nil, filters: String? = nil, listener: String? = nil,
        chain: String? = nil, clusters: String = "", _ requests: Sending...
    ) {
        self.init(
            name, virtualHost, manager: manager, filters: filters, listener: listener, chain: chain,
            clusters: clusters, requests: requests)
    }

    init(
        _ name: String, _ virtualHost: String, manager: String? = nil, filters: String? = nil, listener: String? = nil,
        chain: String? = nil, clusters: String = "", requests: [Sending]
    ) {
        self.name = name
        self.virtualHost = virtualHost
        self.manager = manager
        self.filters = filters
        self.listener = listener
        self.chain = chain
        self.clusters = clusters
        self.requests = requests
    }
}

/// What a case sends on one new connection.
struct Sending: Sendable {
    /// `{host}` is the case's domain, `{id}` names the exchange for the upstreams' record.
    var text: String
    /// How many final responses to read.
    var responses = 1
    /// The response to HEAD has no body whatever its length says.
    var isHead = false
    /// Waits for the end of the connection after the last response.
    var untilClosed = false
    /// Requests that reach an upstream out of step with the response (mirrors): wait for so many.
    var upstreamRequests: Int?
    /// Compares the spelling of header names too.
    var seesCase = false
}

/// A request with a `Host`, an id and further header lines.
func get(_ path: String, _ headers: String...) -> Sending { request("GET", path, headers) }
func post(_ path: String, _ body: String, _ headers: String...) -> Sending {
    request("POST", path, headers + ["content-length: \(body.utf8.count)"], body: body)
}
func send(_ method: String, _ path: String, _ headers: String...) -> Sending { request(method, path, headers) }

func request(_ method: String, _ path: String, _ headers: [String], body: String = "") -> Sending {
    let host = headers.contains { $0.lowercased().hasPrefix("host:") } ? [] : ["host: {host}"]
    let lines = ["\(method) \(path) HTTP/1.1"] + host + ["x-id: {id}"] + headers
    return Sending(text: lines.joined(separator: "\r\n") + "\r\n\r\n" + body, isHead: method == "HEAD")
}

/// Bytes as they are, with line feeds for CR LF.
func raw(_ text: String, responses: Int = 1, untilClosed: Bool = false) -> Sending {
    Sending(
        text: text.replacing("\r\n", with: "\n").replacing("\n", with: "\r\n"), responses: responses,
        untilClosed: untilClosed)
}

extension Sending {
    /// Expects `count` requests at upstreams before comparing.
    func reaching(_ count: Int) -> Sending {
        var copy = self
        copy.upstreamRequests = count
        return copy
    }
    func seeingCase() -> Sending {
        var copy = self
        copy.seesCase = true
        return copy
    }
    func closing() -> Sending {
        var copy = self
        copy.untilClosed = true
        return copy
    }
}
