import FoundationEssentials
import Logging
import Synchronization

/// The proxy's own log: one line on standard error per message, with a level that `/logging` changes.
final class LogLevels: Sendable {
    private let level: Mutex<Logger.Level>

    init(_ level: Logger.Level) { self.level = Mutex(level) }

    var current: Logger.Level { level.withLock { $0 } }

    /// - Parameter text: A level by our name or Envoy's, or a list such as `default:info`, of which the first counts.
    static func parse(_ text: String) -> Logger.Level? {
        let first = text.split(separator: ",").first.map(String.init) ?? text
        let word = first.split(separator: ":").last.map { $0.lowercased() } ?? ""
        return switch word {
        case "warn": .warning
        case "none", "off", "fatal": .critical
        default: Logger.Level(rawValue: word)
        }
    }

    func page(_ request: AdminRequest) -> AdminReply {
        for text in ([request.query["level"]] + [request.query["paths"]]).compactMap({ $0 }) {
            guard let wanted = Self.parse(text) else { return AdminReply("unknown level \"\(text)\"\n", status: 400) }
            level.withLock { $0 = wanted }
        }
        return AdminReply("active loggers:\n  weft-proxy: \(current)\n")
    }

    /// The level as Envoy calls it.
    var envoyName: String {
        switch current {
        case .notice: "info"
        case .warning: "warning"
        case let level: level.rawValue
        }
    }

    func logger(_ label: String) -> Logger { Logger(label: label) { Handler(label: $0, levels: self) } }

    private struct Handler: LogHandler {
        let label: String
        let levels: LogLevels
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level {
            get { levels.current }
            set {}
        }
        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = "\(Date().formatted(.iso8601)) \(event.level) \(label): \(event.message)\n"
            _ = line.utf8.withContiguousStorageIfAvailable { unsafe write(2, $0.baseAddress, $0.count) }
        }
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif
