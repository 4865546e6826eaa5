import NIOCore
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting

/// The value of a format operator.
enum FormatValue {
    case none
    case text(String)
    case int(Int64)
    case json(JSONValue)

    init(_ text: String?) { self = text.map { .text($0) } ?? .none }

    /// `nil` when there is none.
    var string: String? {
        switch self {
        case .none: nil
        case .text(let text): text
        case .int(let number): String(number)
        case .json(let value): value.stringValue ?? value.text()
        }
    }
}

/// What a log line says about a connection that is no HTTP exchange.
struct ConnectionRecord {
    var type = AccessLogFilter.LogType.notSet
    var started = NIODeadline.now()
    var cluster: String?
    var upstreamHost: String?
    var upstreamLocal: String?
    var transportFailure: String?
    var flag = "-"
    var details: String?
    /// Why the proxy ended the connection.
    var termination: String?
    var received: UInt64 = 0
    var sent: UInt64 = 0
    var attempts = 0
}

/// One exchange or connection as format strings, filters and log services look at it.
///
/// Made when something is written about it, and not kept. Loop-confined, as what it refers to.
struct LogContext {
    let info: ConnectionInfo
    let exchange: Exchange?
    /// For connections without an exchange.
    var connection = ConnectionRecord()
    /// The response's headers while they are being made; later the exchange's record has them.
    var response: HeaderBlock?
    var localReplyBody: String?
    let now = NIODeadline.now()

    init(_ exchange: Exchange, response: HeaderBlock? = nil) {
        info = exchange.connection.connection.info
        self.exchange = exchange
        self.response = response ?? exchange.record.responseHeaders
        localReplyBody = exchange.record.extras?.localReplyBody
    }

    init(_ info: ConnectionInfo, _ connection: ConnectionRecord) {
        self.info = info
        exchange = nil
        self.connection = connection
    }

    /// - Parameter missing: What stands for a value that is not there.
    func expand(_ template: FormatTemplate, missing: String) -> String {
        var result = ""
        for piece in template.pieces {
            switch piece {
            case .text(let text): result += text
            case .value(let operation, let limit):
                let text = value(operation).string ?? missing
                if let limit { result += text.cut(toBytes: limit) } else { result += text }
            }
        }
        return result
    }

    /// The same for the value of a header: operators that name headers bring their bytes as they came.
    func bytes(_ template: FormatTemplate) -> [UInt8] {
        var result: [UInt8] = []
        for piece in template.pieces {
            switch piece {
            case .text(let text): result += text.utf8
            case .value(let operation, let limit):
                let bytes = rawBytes(operation) ?? Array((value(operation).string ?? "").utf8)
                result += limit.map { bytes.prefix($0) } ?? bytes[...]
            }
        }
        return result
    }

    /// - Returns: `nil` for operators that name no header field, and for fields that are not there.
    private func rawBytes(_ operation: FormatOperator) -> [UInt8]? {
        let (headers, field): (HeaderBlock?, FormatOperator.Header)
        switch operation {
        case .request(let named): (headers, field) = (exchange?.head.headers, named)
        case .response(let named): (headers, field) = (response, named)
        default: return nil
        }
        guard let headers, !field.name.hasPrefix(":"), field.name != "host" else { return nil }
        return headers[HeaderName(field.name)].map(Array.init)
    }

    var filterView: LogFilterView {
        var view = LogFilterView()
        view.flags = flags
        view.durationMilliseconds = UInt64(clamping: (now - started).nanoseconds / 1_000_000)
        view.type = exchange == nil ? connection.type : .downstreamEnd
        view.attribute = { value(of: $0) }
        guard let exchange else { return view }
        view.status = UInt32(clamping: exchange.record.status)
        view.isHealthCheck = exchange.record.isHealthCheck
        view.isTraced = exchange.span?.reason == .serviceForced
        view.grpcStatus = grpcStatus ?? 2
        view.head = exchange.head
        view.metadata = exchange.filterState?.metadata ?? [:]
        view.requestNumber = exchange.head.headers.string(.requestID).flatMap { UInt64($0.prefix(8), radix: 16) }
        return view
    }

    var started: NIODeadline { exchange?.record.started ?? connection.started }
    var flags: String { exchange?.record.flag ?? connection.flag }

    /// Nanoseconds since 1970.
    var startedAt: Int64 { LogClock.now() - (NIODeadline.now() - started).nanoseconds }

    /// As the response says, or what its HTTP status stands for; `nil` without a response.
    var grpcStatus: UInt32? {
        guard let exchange else { return nil }
        if let text = exchange.record.grpcStatus { return UInt32(text) ?? 2 }
        let status = exchange.record.status
        guard status > 0 else { return nil }
        return status == 200 ? 2 : GRPCStatus.code(status)
    }
}

extension String {
    /// The first `count` bytes (Envoy's `%…:N%`); a character that does not fit as a whole is left out.
    func cut(toBytes count: Int) -> Substring {
        guard utf8.count > count else { return self[...] }
        var end = utf8.index(startIndex, offsetBy: count)
        while end > startIndex, Index(end, within: unicodeScalars) == nil { end = utf8.index(before: end) }
        return self[..<end]
    }
}
