/// A pattern and what replaces each of its matches, as RE2's `GlobalReplace` has it: `\0` to `\9` stand for the match
/// and its groups, `\\` for a backslash. Leftmost match first, then the pattern's own preferences.
///
/// Immutable; runs in time linear in the input for each match (a thread list with positions, no backtracking).
package struct RegexReplacement: Sendable, Hashable {
    private enum Piece: Sendable, Hashable {
        case literal([UInt8])
        case group(Int)
    }
    private let program: RegexProgram
    private let slotCount: Int
    /// The numbers of groups that have a name.
    package let groupNames: [String: Int]
    private let pieces: [Piece]

    /// - Throws: ``RegexError`` for an invalid pattern, or a substitution that names a group which is not there.
    package init(_ pattern: String, substitution: String) throws(RegexError) {
        var parser = RegexParser(pattern)
        let tree = try parser.parse()
        program = try RegexProgram(.group(0, tree), groups: true)
        slotCount = 2 * (parser.groupCount + 1)
        groupNames = parser.groupNames
        pieces = try RegexReplacement.parse(Array(substitution.utf8), groups: parser.groupCount)
    }

    private static func parse(_ text: [UInt8], groups: Int) throws(RegexError) -> [Piece] {
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        var position = 0
        while position < text.count {
            let byte = text[position]
            position += 1
            guard byte == UInt8(ascii: "\\") else {
                literal.append(byte)
                continue
            }
            guard position < text.count else {
                throw RegexError(message: "the substitution ends with a backslash", position: position)
            }
            let next = text[position]
            position += 1
            if next == UInt8(ascii: "\\") {
                literal.append(next)
                continue
            }
            guard next >= 48, next <= 57 else {
                throw RegexError(message: "unknown escape in the substitution", position: position - 1)
            }
            let group = Int(next) - 48
            guard group <= groups else {
                throw RegexError(message: "the pattern has \(groups) groups, not \(group)", position: position - 1)
            }
            if !literal.isEmpty { pieces.append(.literal(literal)) }
            literal = []
            pieces.append(.group(group))
        }
        if !literal.isEmpty { pieces.append(.literal(literal)) }
        return pieces
    }

    /// Replaces every match, from left to right; matches do not overlap.
    package func apply(to input: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var position = 0
        var lastEnd: Int?
        while position <= input.count {
            guard let slots = find(in: input, from: position) else { break }
            let (start, end) = (slots[0], slots[1])
            result += input[position..<start]
            // An empty match right behind the last one is none.
            if start == end, start == lastEnd {
                if position < input.count { result.append(input[position]) }
                position += 1
                continue
            }
            for piece in pieces {
                switch piece {
                case .literal(let bytes): result += bytes
                case .group(let number):
                    let (from, to) = (slots[2 * number], slots[2 * number + 1])
                    if from >= 0, to >= from { result += input[from..<to] }
                }
            }
            position = end
            lastEnd = end
        }
        if position < input.count { result += input[position...] }
        return result
    }

    // MARK: - Search

    /// The leftmost match and what its groups took, the whole match first; `nil` without a match.
    package func groups(in input: [UInt8]) -> [[UInt8]?]? {
        guard let slots = find(in: input, from: 0) else { return nil }
        return stride(from: 0, to: slots.count, by: 2).map { index in
            slots[index] >= 0 && slots[index + 1] >= slots[index] ? Array(input[slots[index]..<slots[index + 1]]) : nil
        }
    }

    /// A live state and the positions that its groups began and ended at; -1 where they did not.
    private struct Thread {
        var counter: Int
        var slots: [Int]
    }

    /// The leftmost match at or after `start`: its slots, of which the first two are the match itself.
    package func find(in input: [UInt8], from start: Int) -> [Int]? {
        var threads: [Thread] = []
        var found: [Int]?
        for position in start...input.count {
            var seen = [Bool](repeating: false, count: program.count)
            var live: [Thread] = []
            for thread in threads { add(thread, at: position, of: input, &seen, to: &live) }
            if found == nil {
                let fresh = Thread(counter: 0, slots: Array(repeating: -1, count: slotCount))
                add(fresh, at: position, of: input, &seen, to: &live)
            }
            threads = []
            for thread in live {
                if case .match = program[thread.counter] {
                    // Whatever comes after is liked less.
                    found = thread.slots
                    break
                }
                if position < input.count, case .bytes(let set) = program[thread.counter], set.contains(input[position])
                {
                    threads.append(Thread(counter: thread.counter + 1, slots: thread.slots))
                }
            }
            if threads.isEmpty, found != nil { return found }
        }
        return found
    }

    /// Follows everything that reads no byte, in order of preference.
    private func add(
        _ thread: Thread, at position: Int, of input: [UInt8], _ seen: inout [Bool], to live: inout [Thread]
    ) {
        var pending = [thread]
        while var thread = pending.popLast() {
            guard !seen[thread.counter] else { continue }
            seen[thread.counter] = true
            switch program[thread.counter] {
            case .bytes, .match:
                live.append(thread)
                continue
            case .jump(let target): thread.counter = target
            case .split(let first, let second):
                pending.append(Thread(counter: second, slots: thread.slots))
                thread.counter = first
            case .save(let slot):
                thread.slots[slot] = position
                thread.counter += 1
            case let test:
                guard Regex.holds(test, at: position, of: input) else { continue }
                thread.counter += 1
            }
            pending.append(thread)
        }
    }
}
