/// A connection that a test sends bytes on and reads them from: plain or with TLS. Blocking; used by one thread.
package protocol ByteStream: AnyObject {
    /// - Returns: false when the other side takes no more.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool
    /// Waits for the next bytes, at most `milliseconds`.
    func receive(within milliseconds: Int) -> RawSocket.Input
    /// Ends with FIN.
    func close()
    /// Ends with RST.
    func reset()
}

extension ByteStream {
    @discardableResult
    package func send(_ text: String) -> Bool { send(Array(text.utf8)) }
}

extension RawSocket: ByteStream {}
