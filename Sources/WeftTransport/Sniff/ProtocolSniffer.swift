package import NIOCore

/// What the first bytes of a connection say about it; the input of filter chain matching.
package struct SniffResult: Sendable, Hashable {
    package var isTLS = false
    package var serverName = ""
    /// From ALPN, or found in plain text: `h2c`, `http/1.1`, `http/1.0`.
    package var applicationProtocols: [String] = []
    package init() {}
}

/// Decides from a prefix of a connection's bytes what is spoken on it. Pure.
package struct ProtocolSniffer: Sendable {
    package var inspectTLS: Bool
    package var inspectHTTP: Bool

    package init(inspectTLS: Bool, inspectHTTP: Bool) {
        self.inspectTLS = inspectTLS
        self.inspectHTTP = inspectHTTP
    }

    /// - Returns: `nil` while more bytes are needed.
    package func examine(_ bytes: ByteBuffer) -> SniffResult? {
        var result = SniffResult()
        if inspectTLS {
            switch ClientHello.parse(bytes) {
            case .needMore: return nil
            case .hello(let hello):
                result.isTLS = true
                result.serverName = hello.serverName
                result.applicationProtocols = hello.applicationProtocols
                return result
            case .notTLS: break
            }
        }
        guard inspectHTTP else { return result }
        switch Self.plainHTTP(bytes) {
        case .some(let name): if !name.isEmpty { result.applicationProtocols = [name] }
        case .none: return nil
        }
        return result
    }

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    /// A request line longer than this is not waited for.
    private static let maximumRequestLine = 8 << 10

    /// - Returns: `h2c`, `http/1.1`, `http/1.0`, empty when it is not HTTP, `nil` when more bytes are needed.
    static func plainHTTP(_ bytes: ByteBuffer) -> String? {
        let view = bytes.readableBytesView
        if view.isEmpty { return nil }
        if zip(view, preface).allSatisfy({ $0 == $1 }) { return view.count >= preface.count ? "h2c" : nil }
        guard let space = view.prefix(32).firstIndex(of: 0x20) else {
            return view.count < 32 && view.allSatisfy(isToken) ? nil : ""
        }
        guard space > view.startIndex, view[..<space].allSatisfy(isToken) else { return "" }
        guard let newline = view.firstIndex(of: 0x0A) else { return view.count < maximumRequestLine ? nil : "" }
        var line = view[..<newline]
        if line.last == 0x0D { line = line.dropLast() }
        let version = line.suffix(9)
        if version.elementsEqual(" HTTP/1.1".utf8) { return "http/1.1" }
        if version.elementsEqual(" HTTP/1.0".utf8) { return "http/1.0" }
        return ""
    }

    private static func isToken(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7F && byte != 0x3A && byte != 0x22 }
}
