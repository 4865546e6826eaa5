import NIOCore

/// Reads the answer to a WebSocket handshake. Pure: bytes in, verdict out.
struct WebSocketHandshake {
    /// A handshake that the server took up.
    struct Accepted: Hashable {
        var subprotocol: String
        /// Bytes after the head: the first frames.
        var rest: ByteBuffer
    }

    private var buffer = ByteBuffer()
    private(set) var result: Result<Accepted, KubernetesError>?

    mutating func receive(_ chunk: ByteBuffer) {
        buffer.writeImmutableBuffer(chunk)
        if result == nil { result = read(isEnd: false) }
    }

    /// The verdict after the last bytes.
    func finish() throws -> Accepted {
        let failure = KubernetesError(
            code: 500, reason: "InternalError", message: "the server closed during the handshake")
        return try (result ?? read(isEnd: true) ?? .failure(failure)).get()
    }

    private func read(isEnd: Bool) -> Result<Accepted, KubernetesError>? {
        let bytes = Array(buffer.readableBytesView)
        let end: [UInt8] = [13, 10, 13, 10]
        guard bytes.count >= 4,
            let at = (0...(bytes.count - 4)).first(where: { bytes[$0..<($0 + 4)].elementsEqual(end) })
        else {
            return bytes.count > 65536 ? .failure(.init(code: 500, body: "answer head too large".utf8)) : nil
        }
        let lines = String(decoding: bytes[..<at], as: UTF8.self).split(separator: "\r\n")
        let code = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 500
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        let body = bytes[(at + 4)...]
        if code == 101 {
            return .success(
                Accepted(subprotocol: headers["sec-websocket-protocol"] ?? "", rest: ByteBuffer(bytes: body)))
        }
        let expected = headers["content-length"].flatMap { Int($0) }
        if let expected, body.count >= expected { return .failure(KubernetesError(code: code, body: body)) }
        return isEnd ? .failure(KubernetesError(code: code, body: body)) : nil
    }
}
