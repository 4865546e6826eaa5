/// Durations as Go prints and Istio's settings take them: `24h0m0s`, `90s`, `1m30s`. Whole seconds; no fractions.
package enum GoDuration {
    /// - Returns: Seconds, more than 0; `nil` for anything else.
    package static func seconds(_ text: String) -> Int64? {
        var total: Int64 = 0
        var number: Int64?
        for character in text {
            if let digit = character.wholeNumberValue {
                number = min((number ?? 0) * 10 + Int64(digit), 1 << 40)
                continue
            }
            guard let value = number, let unit: Int64 = ["h": 3600, "m": 60, "s": 1][character] else { return nil }
            total += value * unit
            number = nil
        }
        return number == nil && total > 0 ? total : nil
    }
}
