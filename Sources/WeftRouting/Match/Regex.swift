/// Why a pattern cannot be compiled, and where.
package struct RegexError: Error, Sendable, Hashable {
    package var message: String
    /// Byte offset in the pattern.
    package var position: Int
}

/// A regular expression in RE2's syntax, run in time linear in the input (Thompson's automaton, no backtracking).
///
/// Immutable; matches over bytes. Groups and lazy quantifiers parse; ``matches(_:)`` asks for a full match.
package struct Regex: Sendable, Hashable {
    enum Instruction: Sendable, Hashable {
        case bytes(ByteSet)
        case split(Int, Int)
        case jump(Int)
        case start, end
        case wordBoundary(Bool)
        /// Notes the position: 2N begins group N, 2N+1 ends it.
        case save(Int)
        case match
    }
    let program: [Instruction]
    /// What every match begins with; looked at before the automaton runs.
    let literalPrefix: [UInt8]
    /// Largest program that is accepted; counted repetitions multiply.
    static let sizeLimit = 20_000

    package init(_ pattern: String, ignoreCase: Bool = false) throws(RegexError) {
        var parser = RegexParser(Array(pattern.utf8), ignoreCase: ignoreCase)
        let tree = try parser.parse()
        var program: [Instruction] = []
        try Regex.emit(tree, groups: false, into: &program)
        program.append(.match)
        self.program = program
        literalPrefix = Regex.literalPrefix(tree)
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
        case .empty, .start: return true
        case .bytes(let set):
            guard let only = set.only else { return false }
            result.append(only)
            return true
        case .sequence(let nodes): return nodes.allSatisfy { collect($0, into: &result) }
        case .group(_, let inner): return collect(inner, into: &result)
        case .end, .wordBoundary, .either, .repeated: return false
        }
    }

    /// Whether the whole input matches.
    package func matches(_ input: some Sequence<UInt8>) -> Bool {
        let input = Array(input)
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
            case .start: if position == 0 { pending.append(counter + 1) }
            case .end: if position == input.count { pending.append(counter + 1) }
            case .wordBoundary(let wanted):
                let before = position > 0 && Regex.isWord(input[position - 1])
                let after = position < input.count && Regex.isWord(input[position])
                if (before != after) == wanted { pending.append(counter + 1) }
            case .bytes, .match: break
            }
        }
    }

    static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 95, 97...122: true
        default: false
        }
    }

    /// - Parameter groups: Whether positions of groups are wanted; a plain match goes without.
    static func emit(_ node: RegexNode, groups: Bool, into program: inout [Instruction]) throws(RegexError) {
        guard program.count < sizeLimit else { throw RegexError(message: "the pattern is too large", position: 0) }
        switch node {
        case .empty: break
        case .bytes(let set): program.append(.bytes(set))
        case .start: program.append(.start)
        case .wordBoundary(let wanted): program.append(.wordBoundary(wanted))
        case .end: program.append(.end)
        case .sequence(let nodes): for node in nodes { try emit(node, groups: groups, into: &program) }
        case .group(let number, let inner):
            if groups { program.append(.save(2 * number)) }
            try emit(inner, groups: groups, into: &program)
            if groups { program.append(.save(2 * number + 1)) }
        case .either(let left, let right):
            let split = program.count
            program.append(.jump(0))
            try emit(left, groups: groups, into: &program)
            let jump = program.count
            program.append(.jump(0))
            program[split] = .split(split + 1, program.count)
            try emit(right, groups: groups, into: &program)
            program[jump] = .jump(program.count)
        case .repeated(let inner, let minimum, let maximum, let isLazy):
            for _ in 0..<minimum { try emit(inner, groups: groups, into: &program) }
            try emitOptional(inner, maximum.map { max(0, $0 - minimum) }, isLazy, groups, into: &program)
        }
    }

    /// `node` up to `count` times more, or without end.
    private static func emitOptional(
        _ node: RegexNode, _ count: Int?, _ isLazy: Bool, _ groups: Bool, into program: inout [Instruction]
    ) throws(RegexError) {
        var splits: [Int] = []
        for _ in 0..<(count ?? 1) {
            splits.append(program.count)
            program.append(.jump(0))
            try emit(node, groups: groups, into: &program)
        }
        if count == nil { program.append(.jump(splits[0])) }
        for split in splits {
            program[split] = isLazy ? .split(program.count, split + 1) : .split(split + 1, program.count)
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

/// A set of bytes as 256 bits.
struct ByteSet: Sendable, Hashable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init() {}
    init(_ range: ClosedRange<UInt8>) { for byte in range { insert(byte) } }

    func contains(_ byte: UInt8) -> Bool {
        let bit = UInt64(1) << UInt64(byte & 63)
        return switch byte >> 6 {
        case 0: words.0 & bit != 0
        case 1: words.1 & bit != 0
        case 2: words.2 & bit != 0
        default: words.3 & bit != 0
        }
    }
    mutating func insert(_ byte: UInt8) {
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: words.0 |= bit
        case 1: words.1 |= bit
        case 2: words.2 |= bit
        default: words.3 |= bit
        }
    }
    mutating func formUnion(_ other: ByteSet) {
        words = (words.0 | other.words.0, words.1 | other.words.1, words.2 | other.words.2, words.3 | other.words.3)
    }
    /// The member of a set that has exactly one.
    var only: UInt8? {
        let counts = [words.0, words.1, words.2, words.3].map(\.nonzeroBitCount)
        guard counts.reduce(0, +) == 1 else { return nil }
        return (UInt8.min...UInt8.max).first(where: contains)
    }
    var inverted: ByteSet {
        var copy = self
        copy.words = (~words.0, ~words.1, ~words.2, ~words.3)
        return copy
    }
    var foldedCase: ByteSet {
        var copy = self
        for byte in UInt8(65)...90 {
            if contains(byte) { copy.insert(byte | 0x20) }
            if contains(byte | 0x20) { copy.insert(byte) }
        }
        return copy
    }
    static func == (left: ByteSet, right: ByteSet) -> Bool { left.words == right.words }
    func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}
