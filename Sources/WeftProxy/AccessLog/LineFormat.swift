import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting

/// A text format that is written for HTTP exchanges, byte by byte into the log, without a `String` for each value
/// (ADR 0050). Immutable.
///
/// It says what ``LogContext/expand(_:missing:)`` says, but that bytes of headers stay as they came (as Envoy writes
/// them), and asks it for the operators that it does not know by itself.
final class LineFormat: Sendable {
    /// A value of the request's head. No case holds a reference, so that going through them counts none.
    private enum Field: Sendable {
        case none, method, path, authority, scheme
        /// A place in ``names``.
        case header(Int)
    }
    private enum Piece: Sendable {
        /// A part of ``texts``.
        case text(start: Int, count: Int)
        /// `%START_TIME%` without a format of its own.
        case start
        case request(Field, else: Field)
        case response(Field, else: Field)
        case plain(FormatOperatorName)
        /// A place in ``others``.
        case other(Int)
    }
    private let pieces: [Piece]
    /// What stands between the values, one after the other.
    private let texts: [UInt8]
    private let names: [HeaderName]
    private let others: [(operation: FormatOperator, limit: Int?)]
    /// What stands for a value that is not there.
    private let missing: StaticString
    let template: FormatTemplate

    init(_ template: FormatTemplate, missing: StaticString) {
        self.template = template
        self.missing = missing
        var compiler = Compiler()
        pieces = template.pieces.map { compiler.piece($0) }
        texts = compiler.texts
        names = compiler.names
        others = compiler.others
    }

    /// Gathers what pieces refer to.
    private struct Compiler {
        var texts: [UInt8] = []
        var names: [HeaderName] = []
        var others: [(operation: FormatOperator, limit: Int?)] = []

        mutating func piece(_ piece: FormatTemplate.Piece) -> Piece {
            switch piece {
            case .text(let text):
                texts += text.utf8
                return .text(start: texts.count - text.utf8.count, count: text.utf8.count)
            case .value(.request(let header), nil):
                return .request(request(header.name), else: request(header.alternative))
            case .value(.response(let header), nil) where header.name != ":status" && header.alternative != ":status":
                return .response(named(header.name), else: header.alternative.map { named($0) } ?? .none)
            case .value(.startTime(let time), nil) where time.format == nil && !time.isLocal: return .start
            case .value(.plain(let name), nil): return .plain(name)
            case .value(let operation, let limit):
                others.append((operation, limit))
                return .other(others.count - 1)
            }
        }

        /// - Parameter name: In lower case, as ``FormatOperator/Header`` has it.
        private mutating func request(_ name: String?) -> Field {
            switch name {
            case nil: .none
            case ":method": .method
            // The colon may be left out, as in Envoy's default format.
            case ":path", "path": .path
            case ":authority", "host": .authority
            case ":scheme": .scheme
            case let name?: named(name)
            }
        }

        private mutating func named(_ name: String) -> Field {
            names.append(HeaderName(name))
            return .header(names.count - 1)
        }
    }

    /// - Parameter second: The worker's, which remembers the text of the last one.
    func write(_ exchange: Exchange, second: inout LogSecond, to line: LogBuffer) {
        let now = NIODeadline.now()
        // The values that an exchange does not have by itself; most formats need none of them.
        lazy var context = LogContext(exchange)
        for piece in pieces {
            let isThere: Bool
            switch piece {
            case .text(let start, let count):
                texts.withUnsafeBytes { line.append(UnsafeRawBufferPointer(rebasing: $0[start..<(start + count)])) }
                continue
            case .start:
                second.write(LogClock.now() - (now - exchange.record.started).nanoseconds, to: line)
                continue
            case .request(let field, let other):
                isThere = write(field, exchange, line) || write(other, exchange, line)
            case .response(let name, let other):
                isThere = writeResponse(name, other, exchange, line)
            case .plain(let name):
                if let known = write(name, exchange, now, line) {
                    isThere = known
                } else {
                    isThere = write(context.value(name).string, line)
                }
            case .other(let place):
                let (operation, limit) = others[place]
                let text = context.value(operation).string
                isThere = write(limit.map { limit in text.map { String($0.cut(toBytes: limit)) } } ?? text, line)
            }
            if !isThere { line.append(missing) }
        }
    }

    /// - Returns: False when there is no such value.
    private func write(_ text: String?, _ line: LogBuffer) -> Bool {
        guard let text else { return false }
        line.append(text)
        return true
    }

    private func write(_ field: Field, _ exchange: Exchange, _ line: LogBuffer) -> Bool {
        guard !exchange.record.hasNoHead else { return false }
        switch field {
        case .none: return false
        case .method: line.append(exchange.head.method.description)
        case .scheme: line.append(exchange.head.scheme.rawValue)
        case .authority: exchange.head.authority.withUnsafeReadableBytes { line.append($0) }
        case .path:
            // CONNECT has none.
            guard exchange.head.path.readableBytes > 0 else { return false }
            exchange.head.path.withUnsafeReadableBytes { line.append($0) }
        case .header(let place):
            return exchange.head.headers.withFirst(names[place]) { line.append($0) } != nil
        }
        return true
    }

    private func writeResponse(_ field: Field, _ other: Field, _ exchange: Exchange, _ line: LogBuffer) -> Bool {
        guard let headers = exchange.record.extras?.responseHeaders else { return false }
        for case .header(let place) in [field, other] where headers.withFirst(names[place], { line.append($0) }) != nil
        {
            return true
        }
        return false
    }

    /// - Returns: `nil` for what is not known here, false for a value that is not there.
    private func write(
        _ name: FormatOperatorName, _ exchange: Exchange, _ now: NIODeadline, _ line: LogBuffer
    ) -> Bool? {
        switch name {
        case .bytesReceived: line.append(decimal: exchange.record.bytesReceived)
        case .bytesSent: line.append(decimal: exchange.record.bytesSent)
        case .responseCode: line.append(decimal: exchange.record.status)
        case .duration:
            line.append(decimal: Int((now - exchange.record.started).nanoseconds / 1_000_000))
        case .responseFlags: line.append(exchange.record.flag)
        case .protocolName: line.append(exchange.original.version.name)
        case .responseCodeDetails:
            guard exchange.record.details != "-" else { return false }
            line.append(exchange.record.details)
        case .connectionTerminationDetails: return false
        case .upstreamTransportFailure: return write(exchange.record.extras?.transportFailure, line)
        case .upstreamHost: return write(exchange.record.host?.name, line)
        case .upstreamLocalAddress: return write(exchange.record.upstreamLocal, line)
        case .upstreamClusterRaw: return write(exchange.clusterName, line)
        case .routeName: return filled(exchange.decision?.route.name, line)
        default: return downstream(name, exchange, line)
        }
        return true
    }

    private func filled(_ text: String?, _ line: LogBuffer) -> Bool {
        guard let text, !text.isEmpty else { return false }
        line.append(text)
        return true
    }

    private func downstream(_ name: FormatOperatorName, _ exchange: Exchange, _ line: LogBuffer) -> Bool? {
        let connection = exchange.connection.connection
        switch name {
        case .requestedServerName: return filled(connection.info.serverName, line)
        case .downstreamLocalAddress:
            address(connection.info.destinationIP, connection.info.destinationPort, line)
        case .downstreamRemoteAddress:
            // The client's, when a header that is trusted names another than the peer.
            if exchange.record.client != nil { return write(exchange.clientAddress, line) }
            address(connection.info.remoteIP, connection.info.remotePort, line)
        default: return nil
        }
        return true
    }

    private func address(_ ip: String, _ port: UInt16, _ line: LogBuffer) {
        let isBracketed = ip.utf8.contains(UInt8(ascii: ":"))
        if isBracketed { line.append(byte: UInt8(ascii: "[")) }
        line.append(ip)
        if isBracketed { line.append(byte: UInt8(ascii: "]")) }
        line.append(byte: UInt8(ascii: ":"))
        line.append(decimal: Int(port))
    }
}

/// The text of a moment to the second, made once for all requests of that second. Confined to one worker.
struct LogSecond {
    private var second = Int64.min
    /// `2026-11-21T10:00:00.`
    private var text: [UInt8] = []

    /// Writes `2026-11-21T10:00:00.000Z`, as ``LogClock/standard(_:)`` does.
    /// - Parameter nanoseconds: Since 1970.
    mutating func write(_ nanoseconds: Int64, to line: LogBuffer) {
        let second = nanoseconds / 1_000_000_000
        if second != self.second {
            self.second = second
            text = Array(LogClock.standard(nanoseconds).utf8.dropLast(4))
        }
        text.withUnsafeBytes { line.append($0) }
        line.append(decimal: Int(nanoseconds % 1_000_000_000 / 1_000_000), digits: 3)
        line.append(byte: UInt8(ascii: "Z"))
    }
}
