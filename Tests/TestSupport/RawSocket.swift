#if canImport(Glibc)
package import Glibc
#elseif canImport(Musl)
package import Musl
#endif

/// One TCP connection that sends and reads exactly the bytes a test wants. Blocking; used by one thread at a time.
package final class RawSocket {
    /// What came of one read.
    package enum Input: Sendable, Equatable {
        case bytes([UInt8])
        /// The other side sent FIN.
        case closed
        /// The other side sent RST.
        case reset
        case nothing
    }
    package let descriptor: CInt
    private var isClosed = false

    package init(adopting descriptor: CInt) { self.descriptor = descriptor }

    /// - Parameter source: the local address; all of 127.0.0.0/8 is ours to use.
    package init(to address: String, port: UInt16, from source: String? = nil) throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var one: CInt = 1
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if let source {
            // Without this option the kernel would reserve the port for every destination.
            setsockopt(descriptor, CInt(IPPROTO_IP), 24, &one, socklen_t(MemoryLayout<CInt>.size))
            guard RawSocket.withAddress(source, 0, { bind(descriptor, $0, $1) }) == 0 else {
                throw StepFailure("bind \(source): \(RawSocket.lastError)")
            }
        }
        guard RawSocket.withAddress(address, port, { connect(descriptor, $0, $1) }) == 0 else {
            let reason = RawSocket.lastError
            Glibc.close(descriptor)
            isClosed = true
            throw StepFailure("connect to \(address):\(port): \(reason)")
        }
    }

    deinit { close() }

    package static var lastError: String { String(cString: strerror(errno)) }

    package static func withAddress<Result>(
        _ address: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        inet_pton(AF_INET, address, &name.sin_addr)
        return withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// Sends everything, or as much as the other side takes before it closes.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { all in
            var offset = 0
            while offset < all.count, let base = all.baseAddress {
                let count = Glibc.send(descriptor, base + offset, all.count - offset, CInt(MSG_NOSIGNAL))
                if count < 0 && errno == EINTR { continue }
                if count <= 0 { return false }
                offset += count
            }
            return true
        }
    }

    /// Sends everything unless the other side takes nothing for `milliseconds`, or has closed.
    package func trySend(_ bytes: [UInt8], within milliseconds: Int) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                all.baseAddress.map {
                    Glibc.send(descriptor, $0 + offset, all.count - offset, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
                } ?? -1
            }
            if count > 0 {
                offset += count
                continue
            }
            guard errno == EAGAIN || errno == EINTR else { return false }
            var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&poller, 1, CInt(clamping: milliseconds)) > 0, poller.revents & Int16(POLLERR | POLLHUP) == 0
            else { return false }
        }
        return true
    }

    /// Lets the other side work for at most `milliseconds`, reading nothing; ends when it closes.
    package func hold(_ milliseconds: Int) {
        // No event is asked for: only an error or the end of both directions wakes it.
        var poller = pollfd(fd: descriptor, events: 0, revents: 0)
        _ = poll(&poller, 1, CInt(clamping: milliseconds))
    }

    @discardableResult
    package func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Waits for the next bytes, at most `milliseconds`.
    package func receive(within milliseconds: Int) -> Input {
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let ready = poll(&poller, 1, CInt(clamping: milliseconds))
        guard ready > 0 else { return .nothing }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count == 0 { return .closed }
        guard count > 0 else { return errno == EINTR ? .nothing : .reset }
        return .bytes(Array(buffer.prefix(count)))
    }

    /// Everything until the other side closes. The limit is a bound for hangs.
    /// - Returns: the bytes, and whether the end was seen.
    package func receiveAll(within milliseconds: Int = 10_000) -> (bytes: [UInt8], ended: Bool) {
        var all: [UInt8] = []
        let deadline = ContinuousClock.now + .milliseconds(milliseconds)
        while ContinuousClock.now < deadline {
            switch receive(within: milliseconds) {
            case .bytes(let bytes): all += bytes
            case .closed, .reset: return (all, true)
            case .nothing: break
            }
        }
        return (all, false)
    }

    package func finishSending() { Glibc.shutdown(descriptor, CInt(SHUT_WR)) }

    /// Closes with RST instead of FIN.
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    package func close() {
        guard !isClosed else { return }
        isClosed = true
        Glibc.close(descriptor)
    }
}

/// A listening TCP socket.
package final class RawListener: Sendable {
    package let descriptor: CInt
    package let port: UInt16

    package init(address: String = "127.0.0.1", port: UInt16 = 0) throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var one: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
        guard RawSocket.withAddress(address, port, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 512) == 0
        else { throw StepFailure("listen on \(address):\(port): \(RawSocket.lastError)") }
        var name = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        self.port = UInt16(bigEndian: name.sin_port)
    }

    /// Blocks until the next connection; `nil` when the listener was closed.
    package func accept() -> RawSocket? {
        while true {
            let accepted = Glibc.accept(descriptor, nil, nil)
            if accepted >= 0 {
                var one: CInt = 1
                setsockopt(accepted, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
                return RawSocket(adopting: accepted)
            }
            guard errno == EINTR || errno == ECONNABORTED else { return nil }
        }
    }

    package func close() {
        Glibc.shutdown(descriptor, CInt(SHUT_RDWR))
        Glibc.close(descriptor)
    }

    /// Ports that nothing listens on now.
    package static func freePorts(_ count: Int) throws -> [UInt16] {
        let held = try (0..<count).map { _ in try RawListener(address: "0.0.0.0") }
        defer { held.forEach { $0.close() } }
        return held.map(\.port)
    }
}
