import NIOCore
import Testing
import WeftHTTP
import WeftIR
import WeftTransport

@testable import WeftProxy

/// Compression and sessions on a real listener.
@Suite(.timeLimit(.minutes(1))) struct BodyFilterTests {
    private static let text = String(repeating: "woven ", count: 500)

    private func split(_ answer: ByteBuffer) -> (head: String, body: ByteBuffer) {
        let bytes = Array(answer.readableBytesView)
        let mark = Array("\r\n\r\n".utf8)
        guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: mark) }) else {
            return (String(decoding: bytes, as: UTF8.self), ByteBuffer())
        }
        var body = ByteBuffer(bytes: bytes[(end + 4)...])
        let head = String(decoding: bytes[..<end], as: UTF8.self)
        return (head, head.lowercased().contains("transfer-encoding: chunked") ? Self.dechunk(&body) : body)
    }

    private static func dechunk(_ bytes: inout ByteBuffer) -> ByteBuffer {
        var result = ByteBuffer()
        while let end = bytes.readableBytesView.firstIndex(of: 13) {
            let size = bytes.readString(length: end - bytes.readerIndex).flatMap { Int($0, radix: 16) } ?? 0
            bytes.moveReaderIndex(forwardBy: 2)
            guard size > 0, var chunk = bytes.readSlice(length: size) else { break }
            result.writeBuffer(&chunk)
            bytes.moveReaderIndex(forwardBy: 2)
        }
        return result
    }

    private func get(_ more: String = "") -> String { "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(more)\r\n" }

    private func plain(_ packed: ByteBuffer) throws -> String {
        let reader = try #require(GzipDecompressor(windowBits: 15, maximumRatio: 1_000))
        return String(buffer: try reader.decompress(packed))
    }

    private func packed(_ text: String) throws -> ByteBuffer {
        let writer = try #require(GzipCompressor(level: 9, windowBits: 15, memoryLevel: 8, strategy: 0))
        return writer.compress(ByteBuffer(string: text), isLast: true)
    }

    @Test func compressesWhatUpstreamsAndTheProxySay() async throws {
        let upstream = try await CollectorServer(.http1, body: Self.text, headers: [("content-type", "text/plain")])
        let proxy = try await ObservedProxy(
            ["up": (upstream.port, false)], filters: [.compressor(CompressorFilter())]
        ) { _ in }
        let (head, body) = split(try await proxy.ask(get("Accept-Encoding: gzip\r\n")))
        #expect(head.contains("content-encoding: gzip") && head.contains("vary: Accept-Encoding"))
        #expect(body.readableBytes < 200)
        #expect(try plain(body) == Self.text)
        let (other, same) = split(try await proxy.ask(get()))
        #expect(!other.contains("content-encoding") && String(buffer: same) == Self.text)
        await proxy.stop()
        await upstream.stop()

        let own = try await ObservedProxy(
            [:], filters: [.compressor(CompressorFilter())],
            route: { $0.action = .directResponse(DirectResponse(status: 200, body: Self.text)) }
        ) { _ in }
        let (ownHead, ownBody) = split(try await own.ask(get("Accept-Encoding: gzip\r\n")))
        #expect(ownHead.contains("content-encoding: gzip"))
        #expect(try plain(ownBody) == Self.text)
        await own.stop()
    }

    private func post(_ body: ByteBuffer) -> String {
        "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Encoding: gzip\r\n"
            + "Content-Length: \(body.readableBytes)\r\n\r\n"
    }

    @Test func decompressesRequests() async throws {
        let upstream = try await CollectorServer(.http1)
        let proxy = try await ObservedProxy(
            ["up": (upstream.port, false)], filters: [.decompressor(DecompressorFilter())]
        ) { _ in }
        let body = try packed(Self.text)
        _ = try await proxy.ask(post(body), body)
        var iterator = upstream.received.makeAsyncIterator()
        let received = try #require(await iterator.next())
        #expect(String(decoding: received.body, as: UTF8.self) == Self.text)
        #expect(received.headers["content-encoding"] == nil && received.headers["accept-encoding"] == "gzip")
        await proxy.stop()
        await upstream.stop()
    }

    @Test func refusesBombsAndRubbish() async throws {
        let upstream = try await CollectorServer(.http1)
        let proxy = try await ObservedProxy(
            ["up": (upstream.port, false)], filters: [.decompressor(DecompressorFilter())]
        ) { _ in }
        let bomb = try packed(String(repeating: "0", count: 20_000_000))
        #expect(split(try await proxy.ask(post(bomb), bomb)).head.hasPrefix("HTTP/1.1 413 "))
        let rubbish = ByteBuffer(string: "this is not gzip")
        #expect(split(try await proxy.ask(post(rubbish), rubbish)).head.hasPrefix("HTTP/1.1 400 "))
        await proxy.stop()
        await upstream.stop()
    }

    @Test(arguments: [false, true]) func sessionsStay(_ isHeader: Bool) async throws {
        let servers = [try await CollectorServer(.http1), try await CollectorServer(.http1)]
        let carrier: StatefulSession.Carrier = isHeader ? .header("x-session") : .cookie(.init(name: "s"))
        let proxy = try await ObservedProxy(
            ["up": (servers[0].port, false)], filters: [.statefulSession(StatefulSession(carrier))]
        ) { _ in }
        let first = split(try await proxy.ask(get())).head
        let name = isHeader ? "x-session: " : "set-cookie: "
        let line = try #require(first.split(separator: "\r\n").first { $0.hasPrefix(name) })
        let value = line.dropFirst(name.count).prefix { $0 != ";" }
        let again = split(try await proxy.ask(get(isHeader ? "x-session: \(value)\r\n" : "cookie: \(value)\r\n"))).head
        #expect(!again.contains(name), "the client knows already")
        await proxy.stop()
        for server in servers { await server.stop() }
    }

    @Test func aStrictSessionWithoutItsEndpointIsRefused() async throws {
        let upstream = try await CollectorServer(.http1)
        var session = StatefulSession(.header("x-session"))
        session.isStrict = true
        let strict = session
        let proxy = try await ObservedProxy(["up": (upstream.port, false)], filters: [.statefulSession(strict)]) { _ in
        }
        // 127.0.0.1:1
        let answer = split(try await proxy.ask(get("x-session: MTI3LjAuMC4xOjE=\r\n"))).head
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        await proxy.stop()
        await upstream.stop()
    }
}
