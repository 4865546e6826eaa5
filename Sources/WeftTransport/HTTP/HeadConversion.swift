import WeftHTTP

extension HeaderBlock {
    /// The value of `content-length`, if it is a number.
    var statedLength: UInt64? { contentLength?.value }
}
