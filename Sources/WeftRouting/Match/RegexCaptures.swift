/// Searching with captures, for rewrites. Leftmost match, and of those the one that the pattern prefers, as RE2 has it.
extension Regex {
    /// - Returns: For group n, its start at 2n and its end at 2n + 1; -1 where a group took no part. Group 0 is the match.
    func firstMatch(in input: [UInt8], from start: Int, anchored: Bool = false) -> [Int]? {
        var current = CaptureThreads(count: program.count)
        var next = CaptureThreads(count: program.count)
        var found: [Int]?
        let empty = [Int](repeating: -1, count: 2 * (groupCount + 1))
        var position = start
        while true {
            if found == nil, !anchored || position == start {
                var slots = empty
                slots[0] = position
                follow(0, slots, at: position, in: input, into: &current)
            }
            if current.list.isEmpty, found != nil || anchored { return found }
            step(&current, &next, at: position, in: input, mustEnd: anchored, found: &found)
            swap(&current, &next)
            next.clear()
            guard position < input.count else { return found }
            position += 1
        }
    }

    private func step(
        _ current: inout CaptureThreads, _ next: inout CaptureThreads, at position: Int, in input: [UInt8],
        mustEnd: Bool, found: inout [Int]?
    ) {
        for thread in current.list {
            switch program[thread.counter] {
            case .match:
                guard !mustEnd || position == input.count else { continue }
                var slots = thread.slots
                slots[1] = position
                found = slots
                // Threads after this one are less preferred.
                return
            case .bytes(let set):
                guard position < input.count, set.contains(input[position]) else { continue }
                follow(thread.counter + 1, thread.slots, at: position + 1, in: input, into: &next)
            default: continue
            }
        }
    }

    private func follow(
        _ start: Int, _ slots: [Int], at position: Int, in input: [UInt8], into threads: inout CaptureThreads
    ) {
        var pending = [(start, slots)]
        while let (counter, slots) = pending.popLast() {
            guard threads.visit(counter) else { continue }
            switch program[counter] {
            case .jump(let target): pending.append((target, slots))
            case .split(let first, let second): pending += [(second, slots), (first, slots)]
            case .save(let slot):
                var noted = slots
                noted[slot] = position
                pending.append((counter + 1, noted))
            case .start: if position == 0 { pending.append((counter + 1, slots)) }
            case .end: if position == input.count { pending.append((counter + 1, slots)) }
            case .wordBoundary(let wanted):
                let before = position > 0 && Regex.isWord(input[position - 1])
                let after = position < input.count && Regex.isWord(input[position])
                if (before != after) == wanted { pending.append((counter + 1, slots)) }
            case .bytes, .match: threads.list.append(CaptureThreads.Thread(counter: counter, slots: slots))
            }
        }
    }
}

/// Live states with what they have captured, most preferred first.
private struct CaptureThreads {
    struct Thread {
        let counter: Int
        let slots: [Int]
    }
    var list: [Thread] = []
    private var visited: [Bool]
    private var marks: [Int] = []

    init(count: Int) { visited = Array(repeating: false, count: count) }

    mutating func visit(_ counter: Int) -> Bool {
        guard !visited[counter] else { return false }
        visited[counter] = true
        marks.append(counter)
        return true
    }

    mutating func clear() {
        for counter in marks { visited[counter] = false }
        marks.removeAll(keepingCapacity: true)
        list.removeAll(keepingCapacity: true)
    }
}

/// A pattern and what replaces its matches; `\1` to `\9` are captures, `\0` is the match, `\\` a backslash
/// (`envoy.type.matcher.v3.RegexMatchAndSubstitute`).
package struct RegexRewrite: Sendable {
    private enum Part: Sendable {
        case text([UInt8])
        case group(Int)
    }
    private let regex: Regex
    private let parts: [Part]

    package init(pattern: String, substitution: String) throws(RegexError) {
        regex = try Regex(pattern)
        var parts: [Part] = []
        var text: [UInt8] = []
        var bytes = Array(substitution.utf8)[...]
        while let byte = bytes.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            switch bytes.popFirst() {
            case UInt8(ascii: "\\"): text.append(byte)
            case .some(let digit) where digit >= 48 && digit <= 57:
                guard Int(digit - 48) <= regex.groupCount else {
                    throw RegexError(
                        message: "the substitution names group \(digit - 48), which is not there", position: 0)
                }
                parts += [.text(text), .group(Int(digit - 48))]
                text = []
            default: throw RegexError(message: "a backslash needs a digit or a backslash after it", position: 0)
            }
        }
        self.parts = parts + [.text(text)]
    }

    /// Replaces every match, from left to right.
    package func replacingAll(in input: some Sequence<UInt8>) -> [UInt8] {
        let input = Array(input)
        var result: [UInt8] = []
        var position = 0
        var lastEnd = -1
        while position <= input.count, let slots = regex.firstMatch(in: input, from: position) {
            result += input[position..<slots[0]]
            // No empty match right after another match.
            if slots[0] == slots[1], slots[0] == lastEnd {
                guard slots[0] < input.count else { return result }
                result.append(input[slots[0]])
                position = slots[0] + 1
                continue
            }
            append(slots, of: input, to: &result)
            position = slots[1]
            lastEnd = slots[1]
        }
        return position < input.count ? result + input[position...] : result
    }

    /// The substitution, when the whole input matches; else `nil`.
    package func rewriteWhole(_ input: some Sequence<UInt8>) -> [UInt8]? {
        let input = Array(input)
        guard let slots = regex.firstMatch(in: input, from: 0, anchored: true) else { return nil }
        var result: [UInt8] = []
        append(slots, of: input, to: &result)
        return result
    }

    private func append(_ slots: [Int], of input: [UInt8], to result: inout [UInt8]) {
        for part in parts {
            switch part {
            case .text(let bytes): result += bytes
            case .group(let group):
                if slots[2 * group] >= 0 { result += input[slots[2 * group]..<slots[2 * group + 1]] }
            }
        }
    }
}
