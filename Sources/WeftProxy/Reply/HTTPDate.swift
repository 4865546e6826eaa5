import CWeftLinux

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The value of the `Date` header (RFC 9110, section 5.6.7), made once a second. Confined to one worker.
struct HTTPDate {
    private var second: Int64 = -1
    private var text = ""

    mutating func now() -> String {
        let second = weft_wall_clock_milliseconds() / 1000
        if second != self.second {
            self.second = second
            text = HTTPDate.format(second)
        }
        return text
    }

    /// - Parameter second: since 1970, UTC.
    static func format(_ second: Int64) -> String {
        var seconds = time_t(second)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return
            "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(parts.tm_year + 1900) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }
}
