import Testing
import WeftHTTP
import WeftIR

@testable import WeftRouting

/// Which bodies are compressed, and what the headers say then.
struct CompressionTests {
    private func response(_ fields: (String, String)..., status: UInt16 = 200) -> ResponseHead {
        ResponseHead(status: status, headers: HeaderBlock(fields))
    }

    @Test(arguments: [
        ("gzip", true), ("GZIP", true), ("gzip;q=0", false), ("br", false), ("*", true), ("*;q=0", false), ("", false),
        ("identity, gzip", false), ("gzip, identity", true), ("gzip;q=0.5, identity;q=0.9", false),
        ("br;q=1, gzip;q=0.2", true), ("gzip;q=x", false), ("deflate, gzip;q=0.8", true),
    ])
    func negotiates(_ text: String, _ result: Bool) { #expect(AcceptedEncodings.prefersGzip(text) == result) }

    @Test func changesTheHeaders() {
        let engine = CompressionEngine(CompressorFilter())
        var head = response(
            ("content-length", "100"), ("content-type", "text/html; charset=utf-8"), ("etag", "\"a\""),
            ("vary", "Origin"))
        #expect(engine.compressesResponse(&head, endStream: false, accepted: "gzip"))
        #expect(head.headers.first("content-encoding") == "gzip")
        #expect(!head.headers.contains("content-length") && !head.headers.contains("etag"))
        #expect(head.headers.first("vary") == "Origin, Accept-Encoding")
    }

    @Test func leavesAlone() {
        var settings = CompressorFilter()
        settings.uncompressibleStatuses = [206]
        let engine = CompressionEngine(settings)
        let cases: [(ResponseHead, String?)] = [
            (response(("content-length", "29")), "gzip"), (response(("content-type", "image/png")), "gzip"),
            (response(("content-encoding", "br")), "gzip"), (response(("cache-control", "no-transform")), "gzip"),
            (response(status: 206), "gzip"), (response(), nil), (response(), "br"), (response(status: 101), "gzip"),
        ]
        for (index, (head, accepted)) in cases.enumerated() {
            var head = head
            #expect(!engine.compressesResponse(&head, endStream: false, accepted: accepted), "case \(index)")
            #expect(head.headers.first("content-encoding") != "gzip")
        }
        var empty = response()
        #expect(!engine.compressesResponse(&empty, endStream: true, accepted: "gzip"))
        #expect(empty.headers.first("vary") == "Accept-Encoding")
    }

    @Test func takesAcceptEncodingAway() {
        var settings = CompressorFilter()
        settings.removesAcceptEncoding = true
        var head = RequestHead(
            .get, "/", authority: "h", headers: [("accept-encoding", "br"), ("accept-encoding", "gzip")])
        #expect(CompressionEngine(settings).takeAccepted(&head, nil) == "br,gzip")
        #expect(!head.headers.contains("accept-encoding"))
        var keep = CompressorOverrides()
        keep.removesAcceptEncoding = false
        var other = RequestHead(.get, "/", authority: "h", headers: [("accept-encoding", "gzip")])
        _ = CompressionEngine(settings).takeAccepted(&other, keep)
        #expect(other.headers.contains("accept-encoding"))
    }

    @Test func decompresses() {
        let engine = DecompressionEngine(DecompressorFilter())
        var head = RequestHead(
            .post, "/", authority: "h",
            headers: [("content-encoding", "br, gzip"), ("content-length", "9"), ("accept-encoding", "br")])
        #expect(engine.decompressesRequest(&head, endStream: false))
        #expect(head.headers.first("content-encoding") == "br")
        #expect(!head.headers.contains("content-length") && head.headers.first("accept-encoding") == "br,gzip")
        var plain = response(("content-encoding", "gzip, br"))
        #expect(!engine.decompressesResponse(&plain, endStream: false), "gzip is not the outermost")
        var kept = response(("content-encoding", "gzip"), ("cache-control", "private, no-transform"))
        #expect(!engine.decompressesResponse(&kept, endStream: false))
        #expect(kept.headers.contains("content-encoding"))
    }
}

/// Sessions in cookies and headers.
struct SessionTests {
    private func cookie(lifetime: UInt64 = 0, path: String = "") -> SessionEngine {
        var cookie = StatefulSession.Cookie(name: "s")
        cookie.lifetimeSeconds = lifetime
        cookie.path = path
        cookie.attributes = [.init(name: "SameSite", value: "Lax"), .init(name: "Secure", value: "")]
        return SessionEngine(StatefulSession(.cookie(cookie)))
    }
    private func head(_ path: String = "/", _ fields: (String, String)...) -> RequestHead {
        RequestHead(.get, path, authority: "h", headers: fields)
    }

    @Test(arguments: [0 as UInt64, 60]) func cookiesComeBack(_ lifetime: UInt64) throws {
        let engine = cookie(lifetime: lifetime)
        var headers = HeaderBlock()
        engine.write("10.0.0.1:80", known: nil, to: &headers, now: 1_000)
        let line = try #require(headers.first("set-cookie"))
        #expect(line.hasSuffix("; SameSite=Lax; Secure; HttpOnly"))
        #expect(line.contains("; Max-Age=60") == (lifetime > 0))
        let value = String(line.prefix { $0 != ";" })
        #expect(engine.address(in: head("/", ("cookie", "a=b; \(value)")), now: 1_001) == "10.0.0.1:80")
        let late = engine.address(in: head("/", ("cookie", value)), now: 2_000)
        #expect(late == (lifetime > 0 ? nil : "10.0.0.1:80"))
        var again = HeaderBlock()
        engine.write("10.0.0.1:80", known: "10.0.0.1:80", to: &again, now: 0)
        #expect(again.isEmpty)
    }

    @Test(arguments: ["", "x", "AAAA", "CgA=", "Cg==", "/////w==", "CgkxMC4wLjAuMQ=="])
    func badCookiesAreNone(_ value: String) {
        #expect(cookie().address(in: head("/", ("cookie", "s=\(value)")), now: 0) == nil)
    }

    @Test func headersComeBack() throws {
        let engine = SessionEngine(StatefulSession(.header("x-session")))
        var headers = HeaderBlock()
        engine.write("10.0.0.1:80", known: nil, to: &headers, now: 0)
        let value = try #require(headers.first("x-session"))
        #expect(engine.address(in: head("/", ("x-session", value)), now: 0) == "10.0.0.1:80")
        #expect(engine.address(in: head("/", ("x-session", "!")), now: 0) == nil)
    }

    @Test(arguments: [
        ("", "/x", true), ("/", "/x", true), ("/a", "/a", true), ("/a", "/a/b?c", true), ("/a", "/ab", false),
        ("/a/", "/a/b", true), ("/a", "/b", false), ("/a", "/a?x", true),
    ])
    func concernsItsPath(_ path: String, _ target: String, _ result: Bool) {
        #expect(cookie(path: path).concerns(head(target)) == result)
    }
}
