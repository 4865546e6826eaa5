import FoundationEssentials

/// Times as Kubernetes writes them, and durations as kubectl prints them.
enum KubernetesTime {
    static func now() -> String { format(Date()) }
    static func format(_ date: Date) -> String { date.formatted(.iso8601) }
    static func parse(_ text: String) -> Date? {
        if let date = try? Date(text, strategy: .iso8601) { return date }
        return try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// `5s`, `3m20s`, `4h`, `2d3h`, `400d`.
    static func age(since text: String?, now: Date = Date()) -> String {
        guard let text, let date = parse(text) else { return "<unknown>" }
        return human(Int(now.timeIntervalSince(date)))
    }

    static func human(_ seconds: Int) -> String {
        if seconds < 0 { return "0s" }
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400)
        func two(_ big: Int, _ bigUnit: String, _ small: Int, _ smallUnit: String) -> String {
            small == 0 ? "\(big)\(bigUnit)" : "\(big)\(bigUnit)\(small)\(smallUnit)"
        }
        if seconds < 120 { return "\(seconds)s" }
        if minutes < 10 { return two(minutes, "m", seconds % 60, "s") }
        if minutes < 180 { return "\(minutes)m" }
        if hours < 8 { return two(hours, "h", minutes % 60, "m") }
        if hours < 48 { return "\(hours)h" }
        if hours < 192 { return two(days, "d", hours % 24, "h") }
        if days < 365 * 2 { return "\(days)d" }
        return two(days / 365, "y", days % 365, "d")
    }
}
