package import Logging
import Synchronization

/// Keeps what is logged, as `level: message`. Thread-safe.
package final class RecordedLog: LogHandler {
    private let lines = Mutex<[String]>([])

    package init() {}

    package var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    package var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    package func log(event: LogEvent) { lines.withLock { $0.append("\(event.level): \(event.message)") } }

    /// Whether one line has all of the texts.
    package func has(_ texts: String...) -> Bool {
        lines.withLock { $0.contains { line in texts.allSatisfy(line.contains) } }
    }
}
