import NIOCore
package import WeftHTTP
package import WeftIR

/// Decides which bodies are compressed and what headers say about it, as Envoy's compressor does. Immutable.
package struct CompressionEngine: Sendable {
    package let settings: CompressorFilter

    package init(_ settings: CompressorFilter) { self.settings = settings }

    private static var acceptEncoding: HeaderName { "accept-encoding" }
    private static var contentEncoding: HeaderName { "content-encoding" }
    private static var cacheControl: HeaderName { "cache-control" }
    private static var etag: HeaderName { "etag" }
    private static var vary: HeaderName { "vary" }

    /// What the client accepts; taken away from the upstream if so configured.
    package func takeAccepted(_ head: inout RequestHead, _ overrides: CompressorOverrides?) -> String? {
        guard settings.response.isEnabled else { return nil }
        let accepted = head.headers.joined(Self.acceptEncoding).map { String(decoding: $0, as: UTF8.self) }
        if overrides?.removesAcceptEncoding ?? settings.removesAcceptEncoding {
            head.headers.remove(Self.acceptEncoding)
        }
        return accepted
    }

    /// Changes the headers of a request whose body is to be compressed.
    package func compressesRequest(_ head: inout RequestHead) -> Bool {
        guard let direction = settings.request, direction.isEnabled, Self.isLongEnough(head.headers, direction),
            Self.isTypeAllowed(head.headers, direction), !head.headers.contains(Self.contentEncoding)
        else { return false }
        head.headers.remove(.contentLength)
        head.headers.set(Self.contentEncoding, "gzip")
        head.framing = .chunked
        return true
    }

    /// Changes the headers of a response, and says whether its body is to be compressed.
    /// - Parameter accepted: What ``takeAccepted(_:_:)`` found.
    package func compressesResponse(_ head: inout ResponseHead, endStream: Bool, accepted: String?) -> Bool {
        let isEligible = settings.response.isEnabled && Self.isLongEnough(head.headers, settings.response)
        let isCompressible =
            isEligible && head.status != 101 && Self.isTypeAllowed(head.headers, settings.response)
            && !head.headers.hasToken(Self.cacheControl, "no-transform") && isTagAllowed(head.headers)
            && !head.headers.contains(Self.contentEncoding)
            && !settings.uncompressibleStatuses.contains(UInt32(head.status))
        let compresses = !endStream && isCompressible && accepted.map(AcceptedEncodings.prefersGzip) == true
        if compresses {
            if let tag = head.headers.string(Self.etag), !tag.lowercased().hasPrefix("w/") {
                head.headers.remove(Self.etag)
            }
            head.headers.remove(.contentLength)
            head.headers.set(Self.contentEncoding, "gzip")
        }
        // A cache must know that the answer depends on what was accepted, compressed or not.
        if isCompressible { Self.addVary(&head.headers) }
        return compresses
    }

    private static func addVary(_ headers: inout HeaderBlock) {
        guard let text = headers.joined(vary).map({ String(decoding: $0, as: UTF8.self) }) else {
            return headers.set(vary, "Accept-Encoding")
        }
        let names = text.split(separator: ",").map { $0.lowercased().filter { $0 != " " } }
        if !names.contains("accept-encoding"), !names.contains("*") { headers.set(vary, text + ", Accept-Encoding") }
    }

    /// A body without a stated length is taken for long.
    private static func isLongEnough(_ headers: HeaderBlock, _ direction: CompressorFilter.Direction) -> Bool {
        guard let text = headers[.contentLength] else { return true }
        return ASCII.decimal(text).map { $0 >= UInt64(direction.minimumLength) } ?? false
    }

    private static func isTypeAllowed(_ headers: HeaderBlock, _ direction: CompressorFilter.Direction) -> Bool {
        guard let type = headers.string(.contentType) else { return true }
        let bare = type.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
        return direction.contentTypes.contains { $0.lowercased() == bare }
    }

    private func isTagAllowed(_ headers: HeaderBlock) -> Bool {
        !settings.skipsResponsesWithETag || !headers.contains(Self.etag)
    }
}

/// The header `Accept-Encoding` (RFC 9110 section 12.5.3).
enum AcceptedEncodings {
    /// Whether gzip is the first of what the client likes best.
    static func prefersGzip(_ text: String) -> Bool {
        var best = (name: "identity", weight: 0.0)
        for item in text.split(separator: ",") {
            let parts = item.split(separator: ";", maxSplits: 1).map { $0.filter { $0 != " " && $0 != "\t" } }
            guard let name = parts.first?.lowercased() else { continue }
            var weight = 1.0
            if parts.count > 1, parts[1].lowercased().hasPrefix("q=") {
                guard let number = Double(parts[1].dropFirst(2)) else { continue }
                weight = number
            }
            if weight > best.weight, ["gzip", "identity", "*"].contains(name) { best = (name, weight) }
        }
        return best.weight > 0 && best.name != "identity"
    }
}

/// Decides which bodies are decompressed. Immutable.
package struct DecompressionEngine: Sendable {
    package let settings: DecompressorFilter

    package init(_ settings: DecompressorFilter) { self.settings = settings }

    private static var acceptEncoding: HeaderName { "accept-encoding" }
    private static var contentEncoding: HeaderName { "content-encoding" }
    private static var cacheControl: HeaderName { "cache-control" }

    /// Changes the headers of a request.
    /// - Returns: Whether its body is to be decompressed.
    package func decompressesRequest(_ head: inout RequestHead, endStream: Bool) -> Bool {
        if settings.advertisesGzip, settings.response.isEnabled { Self.advertise(&head.headers) }
        guard !endStream, Self.takesEncoding(&head.headers, settings.request) else { return false }
        head.framing = .chunked
        return true
    }

    package func decompressesResponse(_ head: inout ResponseHead, endStream: Bool) -> Bool {
        !endStream && Self.takesEncoding(&head.headers, settings.response)
    }

    private static func advertise(_ headers: inout HeaderBlock) {
        guard !headers.hasToken(acceptEncoding, "gzip") else { return }
        let before = headers.joined(acceptEncoding).map { String(decoding: $0, as: UTF8.self) }
        headers.set(acceptEncoding, before.map { $0 + ",gzip" } ?? "gzip")
    }

    /// Takes gzip out of the encodings when it is the one that was applied last.
    private static func takesEncoding(
        _ headers: inout HeaderBlock, _ direction: DecompressorFilter.Direction
    ) -> Bool {
        guard direction.isEnabled, direction.ignoresNoTransform || !headers.hasToken(cacheControl, "no-transform"),
            let text = headers.joined(contentEncoding).map({ String(decoding: $0, as: UTF8.self) })
        else { return false }
        var codings = text.split(separator: ",").map { $0.filter { $0 != " " } }
        guard let last = codings.popLast(), ["gzip", "x-gzip"].contains(last.lowercased()) else { return false }
        if codings.isEmpty {
            headers.remove(contentEncoding)
        } else {
            headers.set(contentEncoding, codings.joined(separator: ", "))
        }
        headers.remove(.contentLength)
        return true
    }
}
