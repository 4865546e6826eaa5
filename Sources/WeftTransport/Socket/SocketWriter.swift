import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes to a plain connection's socket without the detour through NIO's pipeline and its queue of pending writes
/// (ADR 0040).
///
/// Loop-confined. What the socket does not take at once goes to the channel, which waits until it is writable, tells of
/// its writability and reports errors, as ever; until the channel has sent that, everything goes to the channel.
struct SocketWriter {
    /// -1: there is none that may be written to directly (TLS, tests without a socket), or the connection is gone.
    private var descriptor: CInt = -1
    /// The channel may hold bytes that must leave first.
    private var mayWait = true

    /// Bytes of one message that a socket usually takes at once. Larger ones are the channel's.
    static let directLimit = 16 << 10

    /// - Parameter channel: One whose pipeline changes nothing of what is written.
    mutating func attach(to channel: any Channel) {
        let found = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { $0 }
        descriptor = (found ?? nil) ?? -1
    }

    /// The descriptor is not this connection's any more.
    mutating func detach() { descriptor = -1 }

    /// The channel has been given bytes.
    mutating func noteChannelWrite() { mayWait = true }

    /// Sends what the socket takes at once and moves the reader index behind it.
    /// - Returns: False when some of it is left, for the channel.
    mutating func transmit(_ bytes: inout ByteBuffer, _ context: ChannelHandlerContext) -> Bool {
        guard descriptor >= 0, bytes.readableBytes <= Self.directLimit else { return false }
        if mayWait {
            guard let waiting = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes), waiting == 0
            else { return false }
            mayWait = false
        }
        let sent = bytes.withUnsafeReadableBytes { all in
            send(descriptor, all.baseAddress, all.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
        }
        // An error is the channel's to meet again and to tell of.
        guard sent > 0 else { return false }
        bytes.moveReaderIndex(forwardBy: sent)
        return bytes.readableBytes == 0
    }
}
