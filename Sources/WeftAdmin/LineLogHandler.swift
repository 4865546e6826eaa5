import FoundationEssentials
package import Logging
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Writes one line per record to standard output: time, level, component, message, then `key=value` pairs.
///
/// The level is one for the whole process and can be changed while it runs (``setLevel(_:)``).
package struct LineLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    private let label: String

    package init(label: String) { self.label = label }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package var logLevel: Logger.Level {
        get { Self.level }
        set { _ = newValue }
    }

    package func log(event: LogEvent) {
        var pairs = metadata
        for (key, value) in event.metadata ?? [:] { pairs[key] = value }
        var line = "\(Self.timestamp())\t\(event.level)\t\(label)\t\(event.message)"
        for key in pairs.keys.sorted() where !key.hasPrefix("hb.") {
            if let value = pairs[key] { line += " \(key)=\(value)" }
        }
        line += "\n"
        line.withUTF8 { bytes in _ = write(STDOUT_FILENO, bytes.baseAddress, bytes.count) }
    }

    // MARK: - Level

    private static let levelIndex = Atomic<Int>(levelNumber(.info))

    package static var level: Logger.Level {
        Logger.Level.allCases[levelIndex.load(ordering: .relaxed)]
    }

    package static func setLevel(_ level: Logger.Level) {
        levelIndex.store(levelNumber(level), ordering: .relaxed)
    }

    private static func levelNumber(_ level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 2 }

    private static func timestamp() -> String {
        Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
