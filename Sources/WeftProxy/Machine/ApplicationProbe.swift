import WeftCore

/// How to find out whether a machine's application is well: `readinessProbe` of ProxyConfig, `probe` of a WorkloadGroup.
struct ApplicationProbe: Sendable, Hashable {
    struct HTTP: Sendable, Hashable {
        /// The machine itself where the probe names none.
        var host: String?
        var port: Int
        var path = "/"
        var isTLS = false
        var headers: [String: String] = [:]
    }
    enum Action: Sendable, Hashable {
        /// Answers of 200 to 399 are good.
        case http(HTTP)
        /// Whoever takes the connection is well.
        case tcp(host: String?, port: Int)
        /// Exit status 0 is good.
        case exec([String])
        /// `grpc.health.v1.Health/Check`.
        case grpc(port: Int, service: String)
    }

    var action: Action
    /// Seconds.
    var initialDelay = 0
    var timeout = 1
    var period = 10
    /// Probes in a row.
    var successThreshold = 1
    var failureThreshold = 3

    init(_ action: Action) { self.action = action }

    /// As Istio's API has it; a number that is missing or no more than 0 means the default. `nil` without an action that can
    /// be taken.
    init?(_ json: JSONValue) {
        guard let action = Self.action(json) else { return nil }
        self.action = action
        func number(_ key: String, _ standard: Int) -> Int {
            json[key]?.intValue.flatMap { $0 > 0 ? $0 : nil } ?? standard
        }
        initialDelay = number("initialDelaySeconds", 0)
        timeout = number("timeoutSeconds", timeout)
        period = number("periodSeconds", period)
        successThreshold = number("successThreshold", successThreshold)
        failureThreshold = number("failureThreshold", failureThreshold)
    }

    private static func action(_ json: JSONValue) -> Action? {
        func host(_ json: JSONValue) -> String? { json["host"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 } }
        if let get = json["httpGet"] {
            guard let port = port(get) else { return nil }
            var http = HTTP(host: host(get), port: port)
            let path = get["path"]?.stringValue ?? ""
            http.path = path.hasPrefix("/") ? path : "/" + path
            http.isTLS = get["scheme"]?.stringValue?.uppercased() == "HTTPS"
            for header in get["httpHeaders"]?.arrayValue ?? [] {
                if let name = header["name"]?.stringValue { http.headers[name] = header["value"]?.stringValue ?? "" }
            }
            return .http(http)
        }
        if let socket = json["tcpSocket"] { return port(socket).map { .tcp(host: host(socket), port: $0) } }
        if let command = json[path: "exec", "command"]?.arrayValue?.compactMap(\.stringValue), !command.isEmpty {
            return .exec(command)
        }
        if let grpc = json["grpc"] {
            return port(grpc).map { .grpc(port: $0, service: grpc["service"]?.stringValue ?? "") }
        }
        return nil
    }

    private static func port(_ json: JSONValue) -> Int? {
        json["port"]?.intValue.flatMap { (1...65_535).contains($0) ? $0 : nil }
    }
}

/// From single probes to what is told: an application is well or not well after as many results in a row as the probe
/// asks for, and nothing is told twice. Pure.
struct ProbeCount: Sendable, Hashable {
    let successThreshold: Int
    let failureThreshold: Int
    /// What was told last; `nil` before anything was.
    private var isHealthy: Bool?
    private var successes = 0
    private var failures = 0

    init(_ probe: ApplicationProbe) {
        successThreshold = probe.successThreshold
        failureThreshold = probe.failureThreshold
    }

    /// - Returns: what is to be told now, if anything.
    mutating func record(isGood: Bool) -> Bool? {
        successes = isGood ? successes + 1 : 0
        failures = isGood ? 0 : failures + 1
        guard isHealthy != isGood, isGood ? successes >= successThreshold : failures >= failureThreshold else {
            return nil
        }
        isHealthy = isGood
        return isGood
    }
}
