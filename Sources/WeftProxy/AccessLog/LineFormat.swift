import NIOCore
import WeftCore
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
    private enum Value: Sendable {
        case none
        /// `%START_TIME%` without a format of its own.
        case start
        case request(Field, else: Field)
        case response(Field, else: Field)
        case plain(FormatOperatorName)
        /// A place in ``others``.
        case other(Int)
    }
    /// A value and the text before it, which is a part of ``texts``.
    private struct Piece: Sendable {
        var start = 0
        var count = 0
        /// The text, when it has at most eight bytes, as most have that stand between values.
        var word: UInt64 = 0
        var value = Value.none
    }
    private let pieces: [Piece]
    /// What stands between the values, one after the other.
    private let texts: [UInt8]
    private let names: [HeaderName]
    private let others: [(operation: FormatOperator, limit: Int?)]
    /// What stands for a value that is not there: at most eight bytes as they lie in memory.
    private let missing: (word: UInt64, length: Int)
    let template: FormatTemplate

    /// - Parameter missing: At most eight bytes.
    init(_ template: FormatTemplate, missing: StaticString) {
        self.template = template
        self.missing = (Compiler.word(missing.description), missing.utf8CodeUnitCount)
        var compiler = Compiler()
        for piece in template.pieces { compiler.add(piece) }
        pieces = compiler.pieces
        texts = compiler.texts
        names = compiler.names
        others = compiler.others
    }

    /// Gathers what pieces refer to.
    private struct Compiler {
        var texts: [UInt8] = []
        var names: [HeaderName] = []
        var others: [(operation: FormatOperator, limit: Int?)] = []

        var pieces: [Piece] = []

        mutating func add(_ piece: FormatTemplate.Piece) {
            switch piece {
            case .text(let text):
                pieces.append(Piece(start: texts.count, count: text.utf8.count, word: Self.word(text)))
                texts += text.utf8
            case .value(let operation, let limit):
                let value = value(operation, limit)
                if let last = pieces.indices.last, case .none = pieces[last].value {
                    pieces[last].value = value
                } else {
                    pieces.append(Piece(value: value))
                }
            }
        }

        /// The first eight bytes as they lie in memory.
        static func word(_ text: String) -> UInt64 {
            var word: UInt64 = 0
            withUnsafeMutableBytes(of: &word) { $0.copyBytes(from: text.utf8.prefix(8)) }
            return word
        }

        private mutating func value(_ operation: FormatOperator, _ limit: Int?) -> Value {
            switch (operation, limit) {
            case (.request(let header), nil):
                return .request(request(header.name), else: request(header.alternative))
            case (.response(let header), nil) where header.name != ":status" && header.alternative != ":status":
                return .response(named(header.name), else: header.alternative.map { named($0) } ?? .none)
            case (.startTime(let time), nil) where time.format == nil && !time.isLocal: return .start
            case (.plain(let name), nil): return .plain(name)
            default:
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

    /// - Parameters:
    ///   - now: When the exchange ended.
    ///   - second: The worker's, which remembers the text of the last one.
    func write(_ exchange: Exchange, now: NIODeadline, second: inout LogSecond, to line: LogBuffer) {
        pieces.withUnsafeBufferPointer { pieces in
            texts.withUnsafeBytes { texts in
                for piece in pieces {
                    if piece.count <= 8 {
                        line.append(word: piece.word, length: piece.count)
                    } else {
                        line.append(UnsafeRawBufferPointer(rebasing: texts[piece.start..<(piece.start + piece.count)]))
                    }
                    if !write(piece.value, exchange, now, &second, line) {
                        line.append(word: missing.word, length: missing.length)
                    }
                }
            }
        }
    }

    /// - Returns: False when there is no such value.
    @inline(__always) private func write(
        _ value: Value, _ exchange: Exchange, _ now: NIODeadline, _ second: inout LogSecond, _ line: LogBuffer
    ) -> Bool {
        switch value {
        case .none: return true
        case .start:
            second.write(second.unixTime(of: exchange.record.started, now: now), to: line)
            return true
        case .request(let field, let other):
            return write(field, exchange, line) || write(other, exchange, line)
        case .response(let field, let other):
            return writeResponse(field, exchange, line) || writeResponse(other, exchange, line)
        case .plain(let name):
            return write(name, exchange, now, line) ?? write(LogContext(exchange).value(name).string, line)
        case .other(let place): return write(others[place], exchange, line)
        }
    }

    private func write(_ other: (operation: FormatOperator, limit: Int?), _ exchange: Exchange, _ line: LogBuffer)
        -> Bool
    {
        let text = LogContext(exchange).value(other.operation).string
        return write(other.limit.map { limit in text.map { String($0.cut(toBytes: limit)) } } ?? text, line)
    }

    private func write(_ text: String?, _ line: LogBuffer) -> Bool {
        guard let text else { return false }
        line.append(text)
        return true
    }

    private func write(_ field: Field, _ exchange: Exchange, _ line: LogBuffer) -> Bool {
        guard !exchange.record.hasNoHead else { return false }
        switch field {
        case .none: return false
        case .header(let place):
            return exchange.head.headers.lookAtFirst(names[place]) { line.append($0) }
        case .method: line.append(exchange.head.method.description)
        case .scheme: line.append(exchange.head.scheme.rawValue)
        case .authority: exchange.head.authority.withUnsafeReadableBytes { line.append($0) }
        case .path:
            // CONNECT has none.
            guard exchange.head.path.readableBytes > 0 else { return false }
            exchange.head.path.withUnsafeReadableBytes { line.append($0) }
        }
        return true
    }

    private func writeResponse(_ field: Field, _ exchange: Exchange, _ line: LogBuffer) -> Bool {
        guard case .header(let place) = field else { return false }
        return exchange.record.responseHeaders?.lookAtFirst(names[place]) { line.append($0) } ?? false
    }

    /// - Returns: `nil` for what is not known here, false for a value that is not there.
    @inline(__always) private func write(
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
        case .upstreamHost:
            guard let host = exchange.record.host else { return false }
            line.append(host.name)
        case .upstreamLocalAddress: return write(exchange.record.upstreamLocal, line)
        case .upstreamClusterRaw: return write(exchange.clusterName, line)
        case .routeName: return write(exchange.routeName, line)
        case .requestedServerName, .downstreamLocalAddress, .downstreamRemoteAddress:
            return write(name, of: exchange, line)
        default: return nil
        }
        return true
    }

    /// What stays the same for a connection.
    private func write(_ name: FormatOperatorName, of exchange: Exchange, _ line: LogBuffer) -> Bool {
        let texts = exchange.connection.logTexts
        switch name {
        case .requestedServerName:
            guard !texts.serverName.isEmpty else { return false }
            line.append(texts.serverName)
        case .downstreamRemoteAddress:
            // The client's, when a header that is trusted names another than the peer.
            line.append(exchange.record.client == nil ? texts.remote : exchange.clientAddress)
        default: line.append(texts.local)
        }
        return true
    }
}

/// What log lines say of a connection, the same for all of its requests. Immutable.
final class ConnectionLogTexts {
    let serverName: String
    /// Where the client was heading, with the port.
    let local: String
    let remote: String

    init(_ info: ConnectionInfo) {
        serverName = info.serverName
        local = LogContext.Endpoint.text(info.destinationIP, info.destinationPort)
        remote = LogContext.Endpoint.text(info.remoteIP, info.remotePort)
    }
}

/// The text of a moment to the second, made once for all requests of that second. Confined to one worker.
struct LogSecond {
    private var second = Int64.min
    /// `2026-11-21T10:00:00.`
    private var text: [UInt8] = []
    /// Nanoseconds from the beginning of the loop's clock to 1970, and when that was looked up.
    private var offset: Int64 = 0
    private var checked = NIODeadline.distantPast
    /// After so long the system's clock is asked again: it may have been set.
    private static let trust = TimeAmount.milliseconds(50)

    /// Nanoseconds since 1970 of a moment of the loop's clock, without asking the system's for each.
    /// - Parameter now: The time, or a little before it.
    mutating func unixTime(of moment: NIODeadline, now: NIODeadline) -> Int64 {
        if now - checked >= Self.trust {
            offset = LogClock.now() - Int64(clamping: NIODeadline.now().uptimeNanoseconds)
            checked = now
        }
        return offset + Int64(clamping: moment.uptimeNanoseconds)
    }

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
