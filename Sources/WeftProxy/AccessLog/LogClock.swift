#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Moments of the wall clock, and their texts.
enum LogClock {
    /// Nanoseconds since 1970.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// `2026-11-21T10:00:00.000Z`.
    static func standard(_ nanoseconds: Int64) -> String {
        let parts = broken(nanoseconds, isLocal: false)
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(digits(nanoseconds, 3))Z"
    }

    /// `strftime` with Envoy's additions: `%f` and `%1f` to `%9f` for digits of the second, `%3s`, `%6s` and `%9s` for
    /// milli-, micro- and nanoseconds since 1970.
    static func format(_ nanoseconds: Int64, _ format: String, isLocal: Bool) -> String {
        var plain = ""
        var rest = format[...]
        while let percent = rest.firstIndex(of: "%") {
            plain += rest[..<percent]
            let tail = rest[rest.index(after: percent)...]
            let count = tail.first?.wholeNumberValue
            let letter = count == nil ? tail.first : tail.dropFirst().first
            switch (letter, count) {
            case ("f", let count): plain += digits(nanoseconds, count ?? 9)
            case ("s", 3?): plain += String(nanoseconds / 1_000_000)
            case ("s", 6?): plain += String(nanoseconds / 1_000)
            case ("s", 9?): plain += String(nanoseconds)
            case ("s", nil): plain += String(nanoseconds / 1_000_000_000)
            default:
                plain += "%" + tail.prefix(1)
                rest = tail.dropFirst()
                continue
            }
            rest = tail.dropFirst(count == nil ? 1 : 2)
        }
        return strftime(plain + rest, broken(nanoseconds, isLocal: isLocal))
    }

    private static func strftime(_ format: String, _ parts: tm) -> String {
        var parts = parts
        var space = [CChar](repeating: 0, count: format.utf8.count + 256)
        let count = Glibc.strftime(&space, space.count, format, &parts)
        return String(decoding: space[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func broken(_ nanoseconds: Int64, isLocal: Bool) -> tm {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var parts = tm()
        if isLocal { localtime_r(&seconds, &parts) } else { gmtime_r(&seconds, &parts) }
        return parts
    }

    private static func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }

    /// The first `count` digits of the part of the second.
    private static func digits(_ nanoseconds: Int64, _ count: Int) -> String {
        String(String(1_000_000_000 + nanoseconds % 1_000_000_000).dropFirst().prefix(max(1, min(9, count))))
    }
}
