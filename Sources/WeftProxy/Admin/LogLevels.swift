import FoundationEssentials
import Logging
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The proxy's own log: one line on standard error per message. `/logging` changes the level of all loggers or of one
/// while the proxy runs. Thread-safe.
final class LogLevels: Sendable {
    private struct State {
        var common: Logger.Level
        /// Levels of single loggers.
        var own: [String: Logger.Level] = [:]
        /// Loggers that were made.
        var labels: Set<String> = []
    }
    private let state: Mutex<State>

    /// - Parameter components: Levels of single loggers, by label.
    init(_ level: Logger.Level, components: [String: Logger.Level] = [:]) {
        state = Mutex(State(common: level, own: components, labels: Set(components.keys)))
    }

    var current: Logger.Level { state.withLock(\.common) }

    private func level(of label: String) -> Logger.Level { state.withLock { $0.own[label] ?? $0.common } }

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

    /// - Parameter text: `xds:debug,admin:trace` (`--component-log-level`).
    /// - Returns: `nil` for what cannot be read.
    static func parseComponents(_ text: String) -> [String: Logger.Level]? {
        var levels: [String: Logger.Level] = [:]
        for item in text.split(separator: ",") {
            let parts = item.split(separator: ":")
            guard parts.count == 2, let level = parse(String(parts[1])) else { return nil }
            levels[String(parts[0])] = level
        }
        return levels
    }

    /// `level=L` sets all, `paths=A:L,B:L` some, and `NAME=L` one, as in Envoy; without anything the levels are shown.
    func page(_ request: AdminRequest) -> AdminReply {
        if !request.query.isEmpty, request.method != "POST" {
            return AdminReply("Method \(request.method) not allowed, POST required.", status: 405)
        }
        for (key, text) in request.query.sorted(by: { $0.key < $1.key }) {
            guard let change = change(key, text) else {
                return AdminReply(
                    "unknown level or logger in \(key)=\(text)\n"
                        + "usage: /logging?level=LEVEL, /logging?NAME=LEVEL or /logging?paths=NAME:LEVEL,NAME:LEVEL\n"
                        + "levels: trace debug info warning error critical off\n" + listing, status: 400)
            }
            state.withLock { change(&$0) }
        }
        return AdminReply(listing)
    }

    private func change(_ key: String, _ text: String) -> ((inout State) -> Void)? {
        if key == "level" || (key == "paths" && !text.contains(":")) {
            guard let level = Self.parse(text) else { return nil }
            return { state in
                state.common = level
                state.own = [:]
            }
        }
        let wanted = key == "paths" ? Self.parseComponents(text) : Self.parse(text).map { [key: $0] }
        let known = state.withLock(\.labels)
        guard let wanted, wanted.keys.allSatisfy(known.contains) else { return nil }
        return { state in state.own.merge(wanted) { $1 } }
    }

    private var listing: String {
        state.withLock { state in
            let lines = state.labels.sorted().map { "  \($0): \(state.own[$0] ?? state.common)\n" }
            return "active loggers:\n" + lines.joined()
        }
    }

    /// The level as Envoy calls it.
    var envoyName: String {
        switch current {
        case .notice: "info"
        case .warning: "warning"
        case let level: level.rawValue
        }
    }

    func logger(_ label: String) -> Logger {
        _ = state.withLock { $0.labels.insert(label) }
        return Logger(label: label) { Handler(label: $0, levels: self) }
    }

    private struct Handler: LogHandler {
        let label: String
        let levels: LogLevels
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level {
            get { levels.level(of: label) }
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
