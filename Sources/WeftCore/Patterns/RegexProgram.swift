/// A pattern compiled for Thompson's automaton over bytes. Immutable.
struct RegexProgram: Sendable, Hashable {
    enum Instruction: Sendable, Hashable {
        case bytes(ByteSet)
        case split(Int, Int)
        case jump(Int)
        case start, end, lineStart, lineEnd
        case wordBoundary(Bool)
        /// Notes the position: 2N begins group N, 2N+1 ends it.
        case save(Int)
        case match
    }
    private(set) var instructions: [Instruction] = []
    var count: Int { instructions.count }
    subscript(index: Int) -> Instruction { instructions[index] }
    /// Largest program that is accepted; counted repetitions multiply.
    private static let sizeLimit = 20_000

    /// - Parameter groups: Whether positions of groups are wanted; a plain match goes without.
    init(_ tree: RegexNode, groups: Bool) throws(RegexError) {
        try emit(tree, groups: groups)
        instructions.append(.match)
    }

    // MARK: - Compiling

    private mutating func emit(_ node: RegexNode, groups: Bool) throws(RegexError) {
        guard count < Self.sizeLimit else { throw RegexError(message: "the pattern is too large", position: 0) }
        switch node {
        case .empty: break
        case .bytes(let set): instructions.append(.bytes(set))
        case .start(let multiLine): instructions.append(multiLine ? .lineStart : .start)
        case .end(let multiLine): instructions.append(multiLine ? .lineEnd : .end)
        case .wordBoundary(let wanted): instructions.append(.wordBoundary(wanted))
        case .sequence(let nodes): for node in nodes { try emit(node, groups: groups) }
        case .group(let number, let inner):
            if groups { instructions.append(.save(2 * number)) }
            try emit(inner, groups: groups)
            if groups { instructions.append(.save(2 * number + 1)) }
        case .either(let left, let right):
            let split = count
            instructions.append(.jump(0))
            try emit(left, groups: groups)
            let jump = count
            instructions.append(.jump(0))
            instructions[split] = .split(split + 1, count)
            try emit(right, groups: groups)
            instructions[jump] = .jump(count)
        case .repeated(let inner, let minimum, let maximum, let isLazy):
            for _ in 0..<minimum { try emit(inner, groups: groups) }
            try emitOptional(inner, maximum.map { max(0, $0 - minimum) }, isLazy, groups)
        }
    }

    /// `node` up to `count` times more, or without end.
    private mutating func emitOptional(
        _ node: RegexNode, _ times: Int?, _ isLazy: Bool, _ groups: Bool
    ) throws(RegexError) {
        var splits: [Int] = []
        for _ in 0..<(times ?? 1) {
            splits.append(count)
            instructions.append(.jump(0))
            try emit(node, groups: groups)
        }
        if times == nil { instructions.append(.jump(splits[0])) }
        for split in splits {
            instructions[split] = isLazy ? .split(count, split + 1) : .split(split + 1, count)
        }
    }
}

/// A set of bytes as 256 bits.
struct ByteSet: Sendable, Hashable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init() {}
    init(_ range: ClosedRange<UInt8>) { for byte in range { insert(byte) } }

    init(_ ranges: [ClosedRange<UInt8>]) { for range in ranges { formUnion(ByteSet(range)) } }

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
