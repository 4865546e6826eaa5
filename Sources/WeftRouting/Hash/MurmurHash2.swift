/// MurmurHash2 with 64 bits and the seed that libstdc++ has: the ring hash's other function in Envoy.
package enum MurmurHash2 {
    private static let multiplier: UInt64 = 0xC6A4_A793_5BD1_E995

    package static func hash(_ bytes: [UInt8], seed: UInt64 = 0xC70F_6907) -> UInt64 {
        let whole = bytes.count & ~7
        var result = seed ^ UInt64(bytes.count) &* multiplier
        var position = 0
        while position < whole {
            result = (result ^ mix(load(bytes, position, 8) &* multiplier) &* multiplier) &* multiplier
            position += 8
        }
        if bytes.count > whole { result = (result ^ load(bytes, whole, bytes.count - whole)) &* multiplier }
        return mix(mix(result) &* multiplier)
    }

    private static func mix(_ value: UInt64) -> UInt64 { value ^ (value >> 47) }

    /// Little endian, at most eight bytes.
    private static func load(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in (0..<count).reversed() { value = value << 8 | UInt64(bytes[offset + index]) }
        return value
    }
}
