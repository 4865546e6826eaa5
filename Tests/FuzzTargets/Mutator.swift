/// Makes new inputs from old ones, the same for the same seed.
package struct Mutator {
    private var state: UInt64
    private let words: [[UInt8]]

    package init(seed: UInt64, words: [String]) {
        state = seed
        self.words = words.map { Array($0.utf8) }
    }

    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    private mutating func below(_ end: Int) -> Int { end <= 0 ? 0 : Int(next() % UInt64(end)) }

    package mutating func make(from corpus: [[UInt8]]) -> [UInt8] {
        var bytes = corpus[below(corpus.count)]
        for _ in 0...below(5) {
            let place = below(bytes.count + 1)
            switch below(8) {
            case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(below(8))
            case 1 where place < bytes.count: bytes[place] = UInt8(below(256))
            case 2 where place < bytes.count: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(8)))
            case 3: bytes.insert(UInt8(below(256)), at: place)
            case 4 where place < bytes.count:
                bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + below(32))], at: place)
            case 5:
                let other = corpus[below(corpus.count)]
                bytes = Array(bytes.prefix(place) + other.suffix(below(other.count + 1)))
            default: if !words.isEmpty { bytes.insert(contentsOf: words[below(words.count)], at: place) }
            }
        }
        return Array(bytes.prefix(4096))
    }
}
