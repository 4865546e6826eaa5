#if canImport(Glibc)
import Glibc
#endif

/// The time of day in the forms that servers print.
enum ClockText {
    /// As nginx's `$time_local`: `07/Jan/2026:10:11:12 +0000`.
    static func logDate() -> String { formatted("%d/%b/%Y:%H:%M:%S +0000") }
    /// As the `Date` header.
    static func httpDate() -> String { formatted("%a, %d %b %Y %H:%M:%S GMT") }

    private static func formatted(_ format: String) -> String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let length = strftime(&text, text.count, format, &parts)
        return String(decoding: text.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
