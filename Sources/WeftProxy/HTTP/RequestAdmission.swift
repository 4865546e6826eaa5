import NIOCore
import WeftHTTP
import WeftIR
import WeftTransport

/// What a connection manager takes of the forms that HTTP/1 allows. Checked before there is an exchange: what is refused
/// here was never a request.
struct RequestAdmission: Sendable {
    private let underscores: HTTPConnectionManager.Underscores
    private let acceptsHTTP10: Bool
    private let defaultHost: String?
    private let acceptsCustomMethods: Bool

    /// - Returns: `nil` when everything that the parser passes is taken as it is.
    init?(_ manager: HTTPConnectionManager) {
        underscores = manager.underscores
        acceptsHTTP10 = !manager.refusesHTTP10
        defaultHost = manager.defaultHostForHTTP10
        acceptsCustomMethods = !manager.refusesCustomMethods
        if underscores == .allow, acceptsHTTP10, defaultHost == nil, acceptsCustomMethods { return nil }
    }

    /// - Parameter head: Headers may be dropped, and a host be filled in.
    /// - Returns: Why the request is refused.
    func check(_ head: inout RequestHead) -> LocalReply.Reason? {
        if head.version == .http10 {
            guard acceptsHTTP10 else { return .lowVersion }
            if head.authority.readableBytes == 0, let defaultHost { head.host = defaultHost }
        }
        if head.version != .http2, case .other(let name) = head.method, !acceptsCustomMethods,
            !Self.registered.contains(name)
        {
            return .badRequest
        }
        guard underscores != .allow else { return nil }
        return checkNames(&head)
    }

    private func checkNames(_ head: inout RequestHead) -> LocalReply.Reason? {
        var names: [HeaderName] = []
        for index in 0..<head.headers.count {
            let name = head.headers.name(at: index)
            guard name.contains(UInt8(ascii: "_")) else { continue }
            if underscores == .rejectRequest { return .unexpectedUnderscore }
            names.append(HeaderName(String(decoding: name, as: UTF8.self)))
        }
        for name in names { head.headers.remove(name) }
        return nil
    }

    /// Methods of the IANA registry and their like, as Envoy takes them, beside those that have a case of their own.
    private static let registered: Set<String> = [
        "ACL", "BIND", "CHECKOUT", "COPY", "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE",
        "M-SEARCH", "NOTIFY", "PROPFIND", "PROPPATCH", "PURGE", "REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE",
        "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
    ]
}

/// Takes the rest of a request that has been answered already.
final class RefusedRequest: HTTPStreamReceiver {
    func receive(body: ByteBuffer) {}
    func receiveEnd(trailers: HeaderBlock?) {}
    func receive(reset: StreamReset) {}
    func writabilityChanged(_ isWritable: Bool) {}
}
