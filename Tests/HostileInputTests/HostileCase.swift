/// One hostile input with its one defined answer.
struct HostileCase: Sendable {
    enum Port: String, Sendable { case http, proxyProtocol, tls }
    /// The class of `bad-input.md`.
    var group: String
    var name: String
    var port = Port.http
    /// What is sent; each part in a write of its own.
    var parts: [[UInt8]]
    /// Statuses in order, then `open` or `closed`; for HTTP/2 see ``FrameSummary``.
    var expected: String
    /// `METHOD target` of every request that may reach the upstream, in order.
    var forwards: [String] = []
    var isHTTP2 = false
    /// What a request that is forwarded may not carry.
    var forbiddenHeaders: [String] = []

    var id: String { "\(group): \(name)" }
    /// The value of `x-id`, by which the upstream's record is searched.
    var wireID: String { HostileCase.wireID(group, name) }
    static func wireID(_ group: String, _ name: String) -> String {
        (group + name).filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
    }
}

/// An HTTP/2 case: `make` gets the value for `x-id` and returns what follows the preface and the first SETTINGS.
func http2(
    _ group: String, _ name: String, _ expected: String, _ forwards: [String] = [],
    _ make: (String) -> [UInt8]
) -> HostileCase {
    HostileCase(
        group: group, name: name, parts: [Frame.start + make(HostileCase.wireID(group, name))], expected: expected,
        forwards: forwards, isHTTP2: true)
}

/// An HTTP/1 case. Line feeds become CR LF; `\r`, `␊` (bare LF), `␍` (bare CR), `␀` and `{id}` stand for themselves.
func http1(
    _ group: String, _ name: String, _ text: String, _ expected: String, _ forwards: [String] = [],
    without forbidden: [String] = [], port: HostileCase.Port = .http
) -> HostileCase {
    HostileCase(
        group: group, name: name, port: port, parts: [wire(text)], expected: expected, forwards: forwards,
        forbiddenHeaders: forbidden)
}

/// Bytes of a text in the notation of ``http1(_:_:_:_:_:without:port:)``; `⟦ff⟧` is one byte in hexadecimal.
func wire(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var scalars = Array(text.unicodeScalars)[...]
    while let scalar = scalars.popFirst() {
        switch scalar {
        case "\n": bytes += [13, 10]
        case "␊": bytes.append(10)
        case "␍": bytes.append(13)
        case "␀": bytes.append(0)
        case "⟦":
            let digits = String(String.UnicodeScalarView(scalars.prefix(2)))
            bytes.append(UInt8(digits, radix: 16) ?? 0)
            scalars = scalars.dropFirst(3)
        default: bytes += Array(String(scalar).utf8)
        }
    }
    return bytes
}

/// A request that is in order, to stand before or after a bad one.
func good(_ path: String = "/after") -> String { "GET \(path) HTTP/1.1\nhost: a.test\nx-id: {id}\n\n" }
