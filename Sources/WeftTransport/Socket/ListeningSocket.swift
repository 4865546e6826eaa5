import CWeftLinux
package import NIOCore
import NIOPosix
package import WeftIR

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Why a listening socket could not be had, in words for the person who reads the log.
package struct ListenError: Error, CustomStringConvertible {
    package var address: String
    package var code: Int32
    package var description: String { "cannot listen on \(address): \(String(cString: strerror(code)))" }
}

/// Opens listening sockets. Each worker has one of its own on every port; the kernel spreads connections (SO_REUSEPORT).
package enum ListeningSocket {
    /// Binds `host:port`; port 0 takes any free one.
    /// - Returns: The descriptor, owned by the caller, and the port.
    /// - Parameter options: In the order in which they are set.
    package static func open(
        host: String, port: UInt16, backlog: Int32 = 4096, options: [WeftIR.SocketOption] = []
    ) throws(ListenError) -> (CInt, UInt16) {
        // One buffer with all values keeps them in place while the system reads them.
        let values = options.flatMap(\.value)
        let descriptor = values.withUnsafeBytes { bytes in
            var start = 0
            let set = options.map { option in
                defer { start += option.value.count }
                return weft_socket_option(
                    level: option.level, name: option.name, value: bytes.baseAddress.map { $0 + start },
                    length: UInt32(option.value.count), when: option.moment.rawValue)
            }
            return weft_listen_reuse_port(host, port, backlog, set, set.count)
        }
        guard descriptor >= 0 else { throw ListenError(address: "\(host):\(port)", code: -descriptor) }
        let bound = weft_local_port(descriptor)
        return (descriptor, bound > 0 ? UInt16(bound) : port)
    }

    /// Binds a Unix socket; `@NAME` is a name in the abstract namespace. A socket that is left over is replaced.
    /// - Returns: The descriptor, owned by the caller.
    package static func open(path: String, mode: UInt32, backlog: Int32 = 4096) throws(ListenError) -> CInt {
        let descriptor = weft_listen_unix(path, mode, backlog, 0)
        guard descriptor >= 0 else { throw ListenError(address: path, code: -descriptor) }
        return descriptor
    }

    /// A copy of an inherited descriptor for one worker. All copies share one accept queue.
    package static func duplicate(_ descriptor: CInt) throws(ListenError) -> CInt {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw ListenError(address: "descriptor \(descriptor)", code: errno) }
        return copy
    }

    /// Accepts on `descriptor`, with every connection on `eventLoop`, or on the loops of `children` in turn.
    package static func accept(
        on descriptor: CInt, eventLoop: any EventLoop, children: (any EventLoopGroup)? = nil, backlog: Int32 = 4096,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        ServerBootstrap(group: eventLoop, childGroup: children ?? eventLoop)
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .childChannelInitializer { channel in
                // A Unix socket does not know the option.
                if channel.localAddress?.port != nil {
                    try? channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
                }
                return initialize(channel)
            }
            .withBoundSocket(descriptor)
            .map { channel in
                // NIO has listened once more, with a queue of 128; the last word on its length counts (listen(2)).
                _ = listen(descriptor, backlog)
                return channel
            }
    }
}
