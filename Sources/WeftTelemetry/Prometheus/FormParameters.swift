/// The parameters of a request, from its query and its form body together, in order.
package struct FormParameters: Sendable, Hashable {
    package private(set) var pairs: [(name: String, value: String)] = []

    package init() {}
    package init(_ pairs: [(String, String)]) { self.pairs = pairs.map { (name: $0.0, value: $0.1) } }

    /// Adds what an `application/x-www-form-urlencoded` text has.
    package mutating func add(encoded text: some Sequence<UInt8>) {
        for part in Array(text).split(separator: UInt8(ascii: "&")) {
            let halves = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = halves.first, pairs.count < 10_000 else { continue }
            pairs.append((Self.decoded(name), halves.count > 1 ? Self.decoded(halves[1]) : ""))
        }
    }

    package subscript(name: String) -> String? { pairs.first { $0.name == name }?.value }
    package func all(_ name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }

    /// Undoes percent-encoding; `+` is a space. What is no escape stays as it is.
    package static func decoded(_ bytes: ArraySlice<UInt8>) -> String {
        var result: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+") {
                result.append(32)
            } else if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                result.append(value)
                rest = rest.dropFirst(2)
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.pairs.elementsEqual(right.pairs) { $0.name == $1.name && $0.value == $1.value }
    }
    package func hash(into hasher: inout Hasher) { for pair in pairs { hasher.combine(pair.value) } }
}
