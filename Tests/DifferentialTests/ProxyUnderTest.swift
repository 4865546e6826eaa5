import Foundation
import TestSupport

/// One of the two proxies, and how to put a ``Sending`` to it.
final class ProxyUnderTest: Sendable {
    enum Kind: String, Sendable { case envoy, weft }
    /// Where requests come from, so that the client's address is no chance.
    static let client = "127.0.0.9"

    /// Compares Envoy with itself: what differs then is chance in the harness.
    static let comparesItself = ProcessInfo.processInfo.environment["WEFT_DIFFERENTIAL_SELF"] != nil

    let kind: Kind
    let address: String
    let logPath: String
    let process: ServerProcess
    private let record: UpstreamRecord
    private let bootstrap: Bootstrap

    init(_ kind: Kind, bootstrap: Bootstrap, cases: [DifferentialCase], folder: String, record: UpstreamRecord) throws {
        self.kind = kind
        self.bootstrap = bootstrap
        self.record = record
        address = bootstrap.address
        logPath = bootstrap.logPath
        let file = "\(folder)/\(kind.rawValue).yaml"
        try bootstrap.text(cases).write(toFile: file, atomically: true, encoding: .utf8)
        let arguments = ["-c", file, "--concurrency", "1", "-l", "warning"]
        let log = "\(folder)/\(kind.rawValue).log"
        if kind == .envoy || Self.comparesItself {
            process = try ServerProcess(
                kind.rawValue, Workspace.envoy,
                arguments + ["--use-dynamic-base-id", "--file-flush-interval-msec", "20"], log: log)
        } else {
            process = try ServerProcess(kind.rawValue, Workspace.weftProxy, arguments, log: log)
        }
    }

    func waitUntilReady() async throws {
        try await process.waitForPort(bootstrap.sharedPort, address: address)
        for port in bootstrap.ports.values { try await process.waitForPort(port, address: address) }
    }

    /// What came back for one ``Sending``, before the log is known.
    struct Exchange: Sendable {
        var id: String
        var responses: [WireMessage] = []
        var rest: [UInt8] = []
        var ended = false
        var wantsEnd = false
        var isHead = false
        /// Further things to compare: what TLS agreed on, how HTTP/2 ended.
        var facts: [String: String] = [:]
        var seesCase = false
    }

    func run(_ one: DifferentialCase) -> [Exchange] {
        one.requests.enumerated().map { index, sending in
            // As long for both proxies: lengths show in logs.
            let id = "\(kind == .envoy ? "e" : "w").\(one.name).\(index)"
            return exchange(sending, one, id: id)
        }
    }

    private func exchange(_ sending: Sending, _ one: DifferentialCase, id: String) -> Exchange {
        var result = Exchange(id: id, wantsEnd: sending.untilClosed, isHead: sending.isHead, seesCase: sending.seesCase)
        let port = bootstrap.ports[one.name] ?? bootstrap.sharedPort
        guard let socket = try? RawSocket(to: address, port: port, from: Self.client) else { return result }
        let text = ByteSearch.replace(
            "{id}", with: id, in: ByteSearch.replace("{host}", with: one.domain, in: bootstrap.fill(sending.text)))
        let deadline = ContinuousClock.now + .seconds(10)
        if let stream = open(socket, sending.tls, &result) {
            defer { stream.close() }
            if sending.isHTTP2 {
                HTTP2Exchange(stream, deadline: deadline).run(text, sending, &result)
            } else {
                exchangeHTTP1(stream, text, sending, deadline, &result)
            }
        }
        if let count = sending.upstreamRequests {
            while record.requests(id).count < count, ContinuousClock.now < deadline {
                Thread.sleep(forTimeInterval: 0.005)
            }
        }
        return result
    }

    private func open(_ socket: RawSocket, _ tls: TLSClient?, _ result: inout Exchange) -> (any ByteStream)? {
        guard let tls else { return socket }
        guard let stream = try? DifferentialCertificates.client(socket, tls, folder: bootstrap.certificates) else {
            result.facts["tls.failure"] = "no client"
            return nil
        }
        result.facts["tls.established"] = "\(stream.isEstablished)"
        result.facts["tls.protocol"] = stream.negotiatedProtocol ?? "-"
        result.facts["tls.version"] = stream.version ?? "-"
        result.facts["tls.certificate"] = DifferentialCertificates.name(
            of: stream.peerCertificate, folder: bootstrap.certificates)
        result.ended = !stream.isEstablished
        if stream.isEstablished { return stream }
        stream.close()
        return nil
    }

    private func exchangeHTTP1(
        _ stream: any ByteStream, _ text: String, _ sending: Sending, _ deadline: ContinuousClock.Instant,
        _ result: inout Exchange
    ) {
        stream.send(text)
        var reader = WireReader()
        var finals = 0
        while ContinuousClock.now < deadline {
            // An informational response comes before a final one and does not count.
            while finals < sending.responses || sending.untilClosed,
                let next = reader.next(isResponse: true, hasBody: !sending.isHead, ended: result.ended)
            {
                result.responses.append(next)
                if next.status >= 200 || next.status == 101 { finals += 1 }
            }
            if result.ended || (finals >= sending.responses && !sending.untilClosed) { break }
            switch stream.receive(within: 200) {
            case .bytes(let bytes): reader.buffer += bytes
            case .closed, .reset: result.ended = true
            case .nothing: break
            }
        }
        result.rest = Array(reader.rest)
    }

    /// Members of an object in the order of their names; numbers as they are.
    private static func text(_ value: Any) -> String {
        guard JSONSerialization.isValidJSONObject(value),
            let data = try? JSONSerialization.data(withJSONObject: value, options: .sortedKeys)
        else { return "\(value)" }
        return String(decoding: data, as: UTF8.self)
    }

    /// The access log by id.
    func logLines() -> [String: [[String: String]]] {
        let text = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
        var result: [String: [[String: String]]] = [:]
        for line in text.split(separator: "\n") {
            guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
                result["", default: []].append(["unreadable": String(line)])
                continue
            }
            let fields = object.mapValues { value in
                value is NSNull ? "-" : value as? String ?? Self.text(value)
            }
            result[fields["id"] ?? "", default: []].append(fields)
        }
        return result
    }

    func observation(of exchange: Exchange, log: [[String: String]]) -> Observation {
        let seen = record.requests(exchange.id)
        var result = Observer(address: address, id: exchange.id, client: Self.client).observe(
            responses: exchange.isHead ? exchange.responses.map(Observer.withoutFraming) : exchange.responses,
            rest: exchange.rest, ended: exchange.ended, wantsEnd: exchange.wantsEnd, seen: seen, log: log)
        result.fields.merge(exchange.facts) { $1 }
        if exchange.seesCase { result.addNames(exchange, seen) }
        return result
    }
}

extension Observation {
    /// Names as they were spelled, apart from those that Weft alone adds.
    fileprivate mutating func addNames(_ exchange: ProxyUnderTest.Exchange, _ seen: [SeenRequest]) {
        func names(_ message: WireMessage?) -> String {
            let all = (message?.fields ?? []).map(\.name).filter { !ignoredHeaders.contains($0.lowercased()) }
            return all.sorted().joined(separator: " ")
        }
        fields["names.response"] = names(exchange.responses.last)
        fields["names.upstream"] = names(seen.last?.message)
    }
}
