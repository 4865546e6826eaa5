import CWeftLinux
import NIOCore
import Synchronization
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes access log lines of one worker in batches: at most one system call per file and flush.
///
/// Loop-confined; flushed every second, when large, and at the end.
final class AccessLogWriter {
    private var pending: [String: [UInt8]] = [:]
    private var descriptors: [String: CInt] = [:]
    private static let batch = 64 << 10

    func flush() {
        for (path, bytes) in pending where !bytes.isEmpty {
            pending[path] = []
            write(bytes, to: path)
        }
    }

    private func write(_ bytes: [UInt8], to path: String) {
        let descriptor = descriptors[path] ?? open(path)
        guard descriptor >= 0 else { return }
        bytes.withUnsafeBytes { all in
            var offset = 0
            while offset < all.count, let base = all.baseAddress {
                let count = Glibc.write(descriptor, base + offset, all.count - offset)
                if count <= 0 { return }
                offset += count
            }
        }
    }

    private func open(_ path: String) -> CInt {
        let descriptor: CInt =
            switch path {
            case "/dev/stdout": 1
            case "/dev/stderr": 2
            default: Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
            }
        descriptors[path] = descriptor
        return descriptor
    }

    private func add(_ fields: LogFields, to logs: [AccessLog]) {
        for log in logs {
            pending[log.path, default: []].append(contentsOf: fields.line(log.format).utf8)
            if pending[log.path, default: []].count > Self.batch { flush() }
        }
    }

    func exchangeFinished(_ exchange: Exchange) {
        let logs = exchange.manager.accessLogs
        guard !logs.isEmpty else { return }
        var fields = LogFields(exchange.connection.connection.info, started: exchange.record.started)
        let record = exchange.record
        fields.method = exchange.original.method.description
        fields.path = exchange.head.headers.first("x-envoy-original-path") ?? exchange.head.target
        if fields.path.isEmpty { fields.path = "-" }
        fields.remote = exchange.clientAddress
        fields.remoteIP = exchange.clientIP
        fields.protocolName = "\(exchange.original.version.name)"
        fields.status = record.status
        fields.flag = record.flag
        fields.details = record.details
        fields.received = UInt64(record.bytesReceived)
        fields.sent = UInt64(record.bytesSent)
        fields.serviceTime = record.upstreamServiceMilliseconds.map(String.init) ?? "-"
        fields.transportFailure = record.transportFailure ?? "-"
        fields.forwardedFor = exchange.head.headers.first("x-forwarded-for") ?? "-"
        fields.userAgent = exchange.head.headers.first("user-agent") ?? "-"
        fields.requestID = exchange.head.headers.first("x-request-id") ?? "-"
        fields.authority = exchange.head.host
        fields.upstreamHost = record.upstreamHost ?? "-"
        fields.upstreamCluster = exchange.clusterName ?? "-"
        fields.upstreamLocal = record.upstreamLocal ?? "-"
        if let name = exchange.decision?.route.name, !name.isEmpty { fields.routeName = name }
        fields.attempts = exchange.attemptCount
        fields.exchange = exchange
        add(fields, to: logs)
    }

    func connectionClosed(
        _ info: ConnectionInfo, proxy: TCPProxy, cluster: String, host: String?, flag: String, received: UInt64,
        sent: UInt64, started: NIODeadline
    ) {
        guard !proxy.accessLogs.isEmpty else { return }
        var fields = LogFields(info, started: started)
        fields.flag = flag
        fields.received = received
        fields.sent = sent
        fields.upstreamHost = host ?? "-"
        fields.upstreamCluster = cluster.isEmpty ? "-" : cluster
        add(fields, to: proxy.accessLogs)
    }

    func connectionRefused(_ info: ConnectionInfo, listener: Listener?, flag: String, code: String) {
        guard let logs = listener?.accessLogs, !logs.isEmpty else { return }
        var fields = LogFields(info, started: .now())
        fields.flag = flag
        fields.details = code
        add(fields, to: logs)
    }
}

/// The values of one access log line, as Istio's default format has them.
struct LogFields {
    var start = ""
    var duration: Int64 = 0
    var method = "-"
    var path = "-"
    var protocolName = "-"
    var status = 0
    var flag = "-"
    var details = "-"
    var transportFailure = "-"
    var received: UInt64 = 0
    var sent: UInt64 = 0
    var serviceTime = "-"
    var forwardedFor = "-"
    var userAgent = "-"
    var requestID = "-"
    var authority = "-"
    var upstreamHost = "-"
    var upstreamCluster = "-"
    var upstreamLocal = "-"
    var local: String
    var remote: String
    var serverName: String
    var routeName = "-"
    var attempts = 0
    var remoteIP: String
    /// For operators that name a header.
    var exchange: Exchange?

    init(_ info: ConnectionInfo, started: NIODeadline) {
        let elapsed = (NIODeadline.now() - started).nanoseconds
        duration = elapsed / 1_000_000
        start = Self.timestamp(nanosecondsAgo: elapsed)
        local = "\(info.destinationIP):\(info.destinationPort)"
        remoteIP = info.remoteIP
        remote = "\(info.remoteIP):\(info.remotePort)"
        serverName = info.serverName.isEmpty ? "-" : info.serverName
    }

    private static func timestamp(nanosecondsAgo: Int64) -> String {
        let total = weft_wall_clock_milliseconds() - nanosecondsAgo / 1_000_000
        var seconds = time_t(total / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let millis = String(1000 + total % 1000).dropFirst()
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(millis)Z"
    }

    func line(_ format: AccessLog.Format) -> String {
        switch format {
        case .standard: standard()
        case .text(let text): OperatorText.expand(text, self)
        case .json(let members):
            JSONValue.object(members.mapValues { .string(OperatorText.expand($0, self)) }).text() + "\n"
        }
    }

    private func standard() -> String {
        "[\(start)] \"\(method) \(path) \(protocolName)\" \(status) \(flag) \(details) - \"\(transportFailure)\" "
            + "\(received) \(sent) \(duration) \(serviceTime) \"\(forwardedFor)\" \"\(userAgent)\" \"\(requestID)\" "
            + "\"\(authority)\" \"\(upstreamHost)\" \(upstreamCluster) \(upstreamLocal) \(local) \(remote) \(serverName) "
            + "\(routeName)\n"
    }

    /// The value of one operator, without its percent signs.
    func value(_ name: String) -> String {
        switch name {
        case "START_TIME": start
        case "REQ(:METHOD)": method
        case "REQ(X-ENVOY-ORIGINAL-PATH?:PATH)", "REQ(:PATH)": path
        case "PROTOCOL": protocolName
        case "RESPONSE_CODE": String(status)
        case "RESPONSE_FLAGS": flag
        case "RESPONSE_CODE_DETAILS": details
        case "UPSTREAM_TRANSPORT_FAILURE_REASON": transportFailure
        case "BYTES_RECEIVED": String(received)
        case "BYTES_SENT": String(sent)
        case "DURATION": String(duration)
        case "RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)": serviceTime
        case "REQ(X-FORWARDED-FOR)": forwardedFor
        case "REQ(USER-AGENT)": userAgent
        case "REQ(X-REQUEST-ID)": requestID
        case "REQ(:AUTHORITY)": authority
        case "UPSTREAM_HOST": upstreamHost
        case "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW": upstreamCluster
        case "UPSTREAM_LOCAL_ADDRESS": upstreamLocal
        case "DOWNSTREAM_LOCAL_ADDRESS": local
        case "DOWNSTREAM_REMOTE_ADDRESS": remote
        case "REQUESTED_SERVER_NAME": serverName
        case "ROUTE_NAME": routeName
        case "UPSTREAM_REQUEST_ATTEMPT_COUNT": String(attempts)
        case "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": remoteIP
        default: requestHeader(name) ?? "-"
        }
    }

    /// `REQ(NAME)` and `REQ(NAME?OTHER)`.
    private func requestHeader(_ name: String) -> String? {
        guard name.hasPrefix("REQ("), name.hasSuffix(")") else { return nil }
        for header in name.dropFirst(4).dropLast().split(separator: "?") {
            if let value = exchange?.header(String(header)) { return value }
        }
        return nil
    }
}

/// Expands `%OPERATOR%`s in a format.
enum OperatorText {
    static func expand(_ text: String, _ fields: LogFields) -> String {
        let parts = text.split(separator: "%", omittingEmptySubsequences: false)
        return parts.enumerated().map {
            $0.offset.isMultiple(of: 2) ? String($0.element) : fields.value(String($0.element))
        }
        .joined()
    }
}
