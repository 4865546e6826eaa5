import NIOCore
import WeftCore
import WeftIR
import WeftRouting

/// An access log with its format and filter compiled. Immutable; an object, so that going through a manager's logs
/// copies none.
final class CompiledAccessLog: Sendable {
    /// Where lines go, and how they look.
    final class File: Sendable {
        let path: String
        let format: CompiledFormat
        init(path: String, _ format: CompiledFormat) {
            self.path = path
            self.format = format
        }
    }
    enum Sink: Sendable {
        case file(File)
        indirect case service(AccessLogService)
    }
    let sink: Sink
    let filter: CompiledLogFilter?

    /// - Throws: ``FormatError``.
    init(_ log: AccessLog) throws(FormatError) {
        switch log.sink {
        case .file(let path, let format, let omitsEmpty):
            sink = .file(File(path: path, try CompiledFormat(format, omitsEmptyValues: omitsEmpty)))
        case .service(let service):
            for tag in service.customTags { if case .format(let text) = tag.source { _ = try FormatTemplate(text) } }
            sink = .service(service)
        }
        filter = log.filter.map(CompiledLogFilter.init)
    }

    /// What an exchange must keep for these logs beyond what it keeps anyway.
    static func needs(_ logs: [CompiledAccessLog]) -> KeptForLogs {
        logs.reduce(into: KeptForLogs()) { needs, log in
            switch log.sink {
            case .file(let file): needs.formUnion(file.format.needs)
            case .service: needs.formUnion([.response, .trailers, .times])
            }
            if let filter = log.filter { needs.formUnion(KeptForLogs(filter.attributes)) }
        }
    }

    /// Compiles what compiles; the rest becomes problems.
    static func compile(_ logs: [AccessLog], _ problems: inout [String]) -> [CompiledAccessLog] {
        logs.compactMap { log in
            do throws(FormatError) {
                return try CompiledAccessLog(log)
            } catch {
                problems.append("access log: \(error)")
                return nil
            }
        }
    }
}

/// What of an exchange is kept because an access log asks for it.
struct KeptForLogs: OptionSet, Sendable {
    let rawValue: UInt8
    static let response = KeptForLogs(rawValue: 1)
    static let trailers = KeptForLogs(rawValue: 2)
    static let times = KeptForLogs(rawValue: 4)
    static let body = KeptForLogs(rawValue: 8)
    /// What TLS has agreed on with the upstream, and how long the connection took to come.
    static let upstream = KeptForLogs(rawValue: 16)
    /// The endpoints that requests went to.
    static let attempts = KeptForLogs(rawValue: 32)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ operation: FormatOperator) {
        switch operation {
        case .response, .plain(.responseHeadersBytes): self = .response
        case .trailer, .plain(.responseTrailersBytes): self = .trailers
        case .commonDuration, .plain(.requestDuration), .plain(.requestSendDuration), .plain(.responseDuration),
            .plain(.responseSendDuration):
            self = .times
        case .plain(.localReplyBody): self = .body
        case .certificateTime(let time): self = time.isUpstream ? .upstream : []
        case .plain(.hostsAttempted), .plain(.hostsAttemptedWithoutPort), .plain(.hostNamesAttempted),
            .plain(.hostNamesAttemptedWithoutPort):
            self = .attempts
        case .plain(.upstreamTLSVersion), .plain(.upstreamTLSCipher), .plain(.upstreamTLSSessionID),
            .plain(.upstreamPeerSubject), .plain(.upstreamPeerIssuer), .plain(.upstreamPeerURINames),
            .plain(.upstreamPeerDNSNames), .plain(.upstreamPeerIPNames), .plain(.upstreamPeerCertificate),
            .plain(.upstreamPoolDuration):
            self = .upstream
        default: self = []
        }
    }
}

/// A log line's format, ready to be filled. Immutable.
struct CompiledFormat: Sendable {
    private indirect enum Node: Sendable {
        case fixed(JSONValue)
        case template(FormatTemplate)
        case object([String: Node])
        case list([Node])

        init(_ value: JSONValue) throws(FormatError) {
            switch value {
            case .string(let text): self = .template(try FormatTemplate(text))
            case .object(let members):
                var nodes: [String: Node] = [:]
                for (name, member) in members { nodes[name] = try Node(member) }
                self = .object(nodes)
            case .array(let elements):
                var nodes: [Node] = []
                for element in elements { nodes.append(try Node(element)) }
                self = .list(nodes)
            default: self = .fixed(value)
            }
        }

        var needs: KeptForLogs {
            switch self {
            case .fixed: []
            case .template(let template): CompiledFormat.needs(template)
            case .object(let members): members.values.reduce(into: []) { $0.formUnion($1.needs) }
            case .list(let elements): elements.reduce(into: []) { $0.formUnion($1.needs) }
            }
        }
    }
    private enum Shape: Sendable {
        case text(LineFormat)
        case json(Node)
    }
    private let shape: Shape
    private let omitsEmptyValues: Bool

    init(_ format: AccessLog.Format, omitsEmptyValues: Bool) throws(FormatError) {
        self.omitsEmptyValues = omitsEmptyValues
        let missing: StaticString = omitsEmptyValues ? "" : "-"
        switch format {
        case .standard: shape = .text(LineFormat(try FormatTemplate(AccessLog.standardFormat), missing: missing))
        case .text(let text): shape = .text(LineFormat(try FormatTemplate(text), missing: missing))
        case .json(let members): shape = .json(try Node(.object(members)))
        }
    }

    var needs: KeptForLogs {
        switch shape {
        case .text(let line): Self.needs(line.template)
        case .json(let node): node.needs
        }
    }

    private static func needs(_ template: FormatTemplate) -> KeptForLogs {
        template.operators.reduce(into: []) { $0.formUnion(KeptForLogs($1)) }
    }

    /// The text for one request or connection; JSON ends with a line feed.
    func text(_ context: LogContext) -> String {
        switch shape {
        case .text(let line): return context.expand(line.template, missing: omitsEmptyValues ? "" : "-")
        case .json(let node): return (value(node, context) ?? .object([:])).text() + "\n"
        }
    }

    /// The same for an exchange, into the log.
    func write(_ exchange: Exchange, now: NIODeadline, second: inout LogSecond, to buffer: LogBuffer) {
        if case .text(let line) = shape { return line.write(exchange, now: now, second: &second, to: buffer) }
        buffer.append(text(LogContext(exchange)))
    }

    /// - Returns: `nil` for a value that is not there and is to be left out.
    private func value(_ node: Node, _ context: LogContext) -> JSONValue? {
        switch node {
        case .fixed(let value): return value
        case .object(let members): return .object(members.compactMapValues { value($0, context) })
        case .list(let elements): return .array(elements.compactMap { value($0, context) })
        case .template(let template):
            guard let (operation, limit) = template.single else {
                return .string(context.expand(template, missing: omitsEmptyValues ? "" : "-"))
            }
            switch context.value(operation) {
            case .none: return omitsEmptyValues ? nil : .null
            case .text(let text): return .string(limit.map { String(text.cut(toBytes: $0)) } ?? text)
            case .int(let number):
                return limit == nil ? .int(number) : .string(String(String(number).prefix(limit ?? 0)))
            case .json(let value): return value
            }
        }
    }
}
