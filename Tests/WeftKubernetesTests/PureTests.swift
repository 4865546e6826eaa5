import FoundationEssentials
import NIOCore
import Testing
import WeftConfig
import WeftCore

@testable import WeftKubernetes

@Suite struct ResourceStoreTests {
    private func object(_ name: String, version: Int, value: String = "x") -> KubernetesObject {
        KubernetesObject([
            "metadata": ["name": .string(name), "resourceVersion": .string("\(version)")], "spec": .string(value),
        ])
    }

    @Test func anEqualWriteIsNoChange() {
        let store = ResourceStore()
        #expect(store.apply(.added(object("a", version: 1)))?.old == nil)
        #expect(store.apply(.modified(object("a", version: 2))) == nil)
        #expect(store.apply(.modified(object("a", version: 3, value: "y")))?.old == object("a", version: 2))
        #expect(store.apply(.deleted(object("b", version: 4))) == nil)
        #expect(store.replace(with: [object("a", version: 9, value: "y")]).isEmpty)
        #expect(store.replace(with: []).map(\.key.name) == ["a"])
    }

    @Test func syncIsTheFirstList() async {
        let store = ResourceStore()
        #expect(!store.isSynced)
        async let waiting: Void = store.waitForSync()
        _ = store.replace(with: [])
        await waiting
        #expect(store.isSynced)
    }
}

@Suite struct WebSocketTests {
    @Test(arguments: [0, 1, 125, 126, 65535, 65536, 70000])
    func framesComeBackInPieces(_ size: Int) throws {
        let frame = WebSocketFrame(opcode: .binary, payload: ByteBuffer(repeating: 0x5A, count: size))
        var bytes = frame.serialized(mask: 0x0102_0304)
        var parser = WebSocketFrameParser()
        #expect(try parser.next() == nil)
        var seen: [WebSocketFrame] = []
        while let piece = bytes.readSlice(length: min(4096, bytes.readableBytes)), piece.readableBytes > 0 {
            parser.append(piece)
            while let next = try parser.next() { seen.append(next) }
        }
        #expect(seen == [frame])
    }

    @Test func hugeLengthsAreRefused() {
        var parser = WebSocketFrameParser()
        parser.append(ByteBuffer(bytes: [0x82, 127, 0xFF, 0, 0, 0, 0, 0, 0, 0]))
        #expect(throws: WebSocketFrameError.self) { try parser.next() }
    }

    @Test func anAcceptedHandshakeKeepsTheFirstFrames() throws {
        var handshake = WebSocketHandshake()
        for character in "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n" {
            handshake.receive(ByteBuffer(string: String(character)))
        }
        handshake.receive(ByteBuffer())
        let accepted = try handshake.finish()
        #expect(accepted.subprotocol == "v5.channel.k8s.io")
    }

    @Test func aRefusedHandshakeIsTheServersError() throws {
        var handshake = WebSocketHandshake()
        let body = #"{"kind":"Status","code":400,"reason":"BadRequest","message":"container x is not valid"}"#
        handshake.receive(
            ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"))
        let error = #expect(throws: KubernetesError.self) { try handshake.finish() }
        #expect(error?.message == "container x is not valid")
    }
}

@Suite struct ExecSessionTests {
    @Test func channelsAndExitCode() throws {
        var session = ExecSession()
        session.receive(ByteBuffer(string: "\u{1}out"))
        session.receive(ByteBuffer(string: "\u{2}err"))
        #expect(!session.isFinished)
        session.receive(
            ByteBuffer(
                string: "\u{3}"
                    + #"{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}"#
            ))
        let result = try session.result()
        #expect((result.output, result.errorOutput, result.exitCode) == ("out", "err", 7))
    }

    @Test func aBrokenConnectionIsAnError() {
        var session = ExecSession()
        session.receive(ByteBuffer(string: "\u{1}half"))
        #expect(throws: KubernetesError.self) { try session.result() }
    }
}

@Suite struct SmallPartsTests {
    @Test func backoffDoublesUpToItsLimit() {
        var generator = SystemRandomNumberGenerator()
        var backoff = Backoff(first: .milliseconds(100), limit: .milliseconds(350))
        for limit in [100, 200, 350, 350] {
            let wait = backoff.next(using: &generator)
            #expect(wait >= .milliseconds(limit) / 2 && wait <= .milliseconds(limit))
        }
        backoff.reset()
        #expect(backoff.next(using: &generator) <= .milliseconds(100))
    }

    @Test(arguments: [
        ("{}", true), (#"{"holderIdentity":""}"#, true), (#"{"holderIdentity":"me"}"#, true),
        (#"{"holderIdentity":"you","renewTime":"2026-01-01T00:00:00.000000Z","leaseDurationSeconds":15}"#, true),
        (#"{"holderIdentity":"you","renewTime":"2126-01-01T00:00:00.5Z","leaseDurationSeconds":15}"#, false),
    ])
    func leases(_ spec: String, _ expected: Bool) throws {
        #expect(LeaderElection.mayTake(try JSONValue(parsing: spec), as: "me", now: .init()) == expected)
    }

    @Test func leaseTimesHaveDateAndFraction() throws {
        let text = LeaderElection.time(Date(timeIntervalSince1970: 1_767_225_600.25))
        #expect(text == "2026-01-01T00:00:00.250Z")
        #expect(LeaderElection.date(text) == Date(timeIntervalSince1970: 1_767_225_600))
    }

    @Test func kubeconfigsNameTheirParts() throws {
        let json: JSONValue = [
            "current-context": "weft",
            "contexts": [["name": "weft", "context": ["cluster": "c", "user": "u", "namespace": "dev"]]],
            "clusters": [["name": "c", "cluster": ["server": "https://127.0.0.1:16443/"]]],
            "users": [["name": "u", "user": ["token": "t"]]],
        ]
        let configuration = try Kubeconfig(json: json).configuration()
        #expect(configuration.server == "https://127.0.0.1:16443")
        #expect(configuration.credential == .token("t"))
        #expect(configuration.namespace == "dev")
        #expect(throws: KubernetesConfigurationError.self) {
            try Kubeconfig(json: json).configuration(context: "other")
        }
    }
}
