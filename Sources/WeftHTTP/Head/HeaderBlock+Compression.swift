extension HeaderBlock {
    /// The bit that stands for a field name in ``neverIndexed``. Other names may share it: those only compress less.
    static func neverIndexedBit(_ fingerprint: UInt32) -> UInt64 { 1 << UInt64(fingerprint & 63) }
}
