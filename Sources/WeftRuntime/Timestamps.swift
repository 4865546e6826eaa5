#if canImport(Glibc)
import Glibc
#endif

/// Times as Kubernetes writes them.
package enum Timestamps {
    /// RFC 3339 in UTC, with nanoseconds for logs or whole seconds for objects.
    package static func now(nanoseconds: Bool = false) -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return text(time.tv_sec, nanoseconds ? time.tv_nsec : nil)
    }

    package static func seconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec
    }

    package static func text(_ seconds: Int, _ nanoseconds: Int? = nil) -> String {
        var seconds = seconds
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ value: some BinaryInteger, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let date = "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))"
        let time = "\(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2))"
        return "\(date)T\(time)\(nanoseconds.map { ".\(padded($0, 9))" } ?? "")Z"
    }
}
