/// Why a pattern cannot be compiled, and where.
package struct RegexError: Error, Sendable, Hashable {
    package var message: String
    /// Byte offset in the pattern.
    package var position: Int

    package init(message: String, position: Int) {
        self.message = message
        self.position = position
    }
}

/// A regular expression in RE2's syntax, run in time linear in the input (Thompson's automaton, no backtracking).
///
/// Immutable. A character is a byte, as in Envoy 1.40, which has RE2 read Latin-1: `.` is half of an `ü` in UTF-8. Groups
/// and lazy quantifiers parse; ``matches(_:)`` asks for a full match.
package struct Regex: Sendable, Hashable {
    private let program: RegexProgram
    /// What every match begins with; looked at before the automaton runs.
    private let literalPrefix: [UInt8]

    package init(_ pattern: String) throws(RegexError) {
        var parser = RegexParser(pattern)
        let tree = try parser.parse()
        program = try RegexProgram(tree, groups: false)
        literalPrefix = Regex.literalPrefix(tree)
    }

    /// A pattern that may begin and end anywhere in the input: ``matches(_:)`` is then a search.
    package init(anywhere pattern: String) throws(RegexError) {
        // Read by itself first, so that no bracket of it can close ours.
        _ = try Regex(pattern)
        try self.init("(?s:.*)(?:\(pattern))(?s:.*)")
    }

    /// The bytes that a pattern spells out before its first choice.
    private static func literalPrefix(_ node: RegexNode) -> [UInt8] {
        var result: [UInt8] = []
        _ = collect(node, into: &result)
        return result
    }

    /// - Returns: Whether the node is spelled out to its end.
    private static func collect(_ node: RegexNode, into result: inout [UInt8]) -> Bool {
        switch node {
        case .empty, .start(multiLine: false): return true
        case .bytes(let set):
            guard let only = set.only else { return false }
            result.append(only)
            return true
        case .sequence(let nodes): return nodes.allSatisfy { collect($0, into: &result) }
        case .group(_, let inner): return collect(inner, into: &result)
        case .start, .end, .wordBoundary, .either, .repeated: return false
        }
    }

    /// Whether the whole input matches.
    @inlinable
    package func matches(_ input: some Sequence<UInt8>) -> Bool { matches(bytes: Array(input)) }

    @usableFromInline
    package func matches(bytes input: [UInt8]) -> Bool {
        guard input.starts(with: literalPrefix) else { return false }
        var current = Threads(count: program.count)
        var next = Threads(count: program.count)
        add(0, at: 0, of: input, to: &current)
        for (position, byte) in input.enumerated() {
            guard !current.list.isEmpty else { return false }
            next.clear()
            for counter in current.list {
                if case .bytes(let set) = program[counter], set.contains(byte) {
                    add(counter + 1, at: position + 1, of: input, to: &next)
                }
            }
            swap(&current, &next)
        }
        return current.list.contains { program[$0] == .match }
    }

    private func add(_ start: Int, at position: Int, of input: [UInt8], to threads: inout Threads) {
        var pending = [start]
        while let counter = pending.popLast() {
            guard threads.insert(counter) else { continue }
            switch program[counter] {
            case .jump(let target): pending.append(target)
            case .split(let first, let second): pending += [second, first]
            case .save: pending.append(counter + 1)
            case .bytes, .match: break
            case let test: if Regex.holds(test, at: position, of: input) { pending.append(counter + 1) }
            }
        }
    }

    /// Whether an instruction that reads nothing lets a thread pass.
    static func holds(_ test: RegexProgram.Instruction, at position: Int, of input: [UInt8]) -> Bool {
        switch test {
        case .start: return position == 0
        case .end: return position == input.count
        case .lineStart: return position == 0 || input[position - 1] == 10
        case .lineEnd: return position == input.count || input[position] == 10
        case .wordBoundary(let wanted):
            let before = position > 0 && isWord(input[position - 1])
            let after = position < input.count && isWord(input[position])
            return (before != after) == wanted
        case .bytes, .split, .jump, .save, .match: return false
        }
    }

    package static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 95, 97...122: true
        default: false
        }
    }

    /// The set of live states: a list and its membership marks.
    private struct Threads {
        var list: [Int] = []
        private var marks: [Bool]
        init(count: Int) { marks = Array(repeating: false, count: count) }
        mutating func insert(_ counter: Int) -> Bool {
            guard !marks[counter] else { return false }
            marks[counter] = true
            list.append(counter)
            return true
        }
        mutating func clear() {
            for counter in list { marks[counter] = false }
            list.removeAll(keepingCapacity: true)
        }
    }
}
