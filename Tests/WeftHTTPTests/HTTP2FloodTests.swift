import NIOCore
import Testing

@testable import WeftHTTP

/// What a peer can send for nothing is bounded, and each bound has a name.
@Suite struct HTTP2FloodTests {
    private func reason(_ options: HTTP2Options = HTTP2Options(), _ frames: [WireFrame]) -> HTTP2Reason? {
        let peer = WirePeer(.server, options)
        peer.feed(frames)
        return peer.connection.failure
    }

    private func expect(
        _ wanted: HTTP2Reason, upTo allowed: Int, _ options: HTTP2Options = HTTP2Options(),
        _ frame: (Int) -> [WireFrame]
    ) {
        let frames = (0...allowed).map(frame)
        #expect(reason(options, frames.dropLast().flatMap { $0 }) == nil, "the limit itself is allowed")
        #expect(reason(options, frames.flatMap { $0 }) == wanted)
    }

    private func reason(_ frames: [WireFrame]) -> HTTP2Reason? { reason(HTTP2Options(), frames) }

    @Test func ping() {
        var options = HTTP2Options()
        options.maximumOutboundControlFrames = 2000
        expect(.pingFlood, upTo: 1000, options) { _ in [WireFrame(6, 0, 0, hex("0000000000000000"))] }
    }

    // The greeting counts as the first.
    @Test func settings() { expect(.settingsFlood, upTo: 99) { _ in [.settings] } }

    @Test func timeForgives() {
        let peer = WirePeer()
        for round in 0..<10 {
            peer.feed((0..<90).map { _ in .settings }, now: UInt64(round) * 10_000)
            peer.connection.outputDrained()
        }
        #expect(peer.connection.failure == nil)
    }

    @Test func emptyData() {
        #expect(reason([.post(1), .data(1, 0)]) == nil)
        #expect(reason([.post(1), .data(1, 0), .data(1, 0)]) == .emptyFrames)
        #expect(reason([.post(1), .data(1, 0), .data(1, 1), .data(1, 0)]) == nil)
    }

    @Test func priority() {
        expect(.priorityFlood, upTo: 200) {
            $0 == 0 ? [.get(1), WireFrame(2, 0, 3, word(5) + [1])] : [WireFrame(2, 0, 3, word(5) + [1])]
        }
    }

    @Test func windowUpdate() { expect(.windowUpdateFlood, upTo: 5) { _ in [.windowUpdate(0, 1)] } }

    @Test func continuation() {
        let start = WireFrame(1, 1, 1, WireFrame.get(1).payload)
        let part = WireFrame(9, 0, 1, HPACKEncoder(limit: 0).plain([("x", "y")]))
        expect(.continuationFlood, upTo: 64) { $0 == 0 ? [start, part] : [part] }
    }

    @Test func headerListByContinuation() {
        let part = WireFrame(9, 0, 1, [UInt8](repeating: 0, count: 16_000))
        #expect(reason([WireFrame(1, 1, 1, [0])] + (0..<6).map { _ in part }) == .headerList)
    }

    @Test func outboundControlFrames() {
        var options = HTTP2Options()
        options.maximumPingFrames = 100_000
        let pings = (0..<1001).map { _ in WireFrame(6, 0, 0, hex("0000000000000000")) }
        #expect(reason(options, pings) == .outboundControlFlood)
    }

    @Test func rapidReset() {
        let resets = { (index: Int) -> [WireFrame] in
            let id = UInt32(index * 2 + 1)
            return [.get(id), WireFrame(3, 0, id, word(8))]
        }
        expect(.rapidReset, upTo: 499) { resets($0) }
    }

    @Test func lateCancellationsAreOrdinary() {
        let peer = WirePeer()
        for index in 0..<600 {
            let id = UInt32(index * 2 + 1)
            peer.feed([.get(id)], now: UInt64(index) * 2000)
            peer.feed([WireFrame(3, 0, id, word(8))], now: UInt64(index) * 2000 + 1000)
        }
        #expect(peer.connection.failure == nil)
    }

    /// Peers that measure the path send a PING with each piece of data.
    @Test func pingsThatComeWithDataAreNoFlood() {
        let peer = WirePeer()
        peer.feed([.post(1)])
        for _ in 0..<2000 {
            peer.feed([.data(1, 1), WireFrame(6, 0, 0, hex("0000000000000000"))])
            peer.connection.outputDrained()
        }
        #expect(peer.connection.failure == nil)
    }

    /// Resets that the peer provokes are as good as its own.
    @Test func provokedResets() {
        expect(.rapidReset, upTo: 499) { index in
            let id = UInt32(index * 2 + 1)
            return [.post(id), .windowUpdate(id, 0)]
        }
    }

    @Test func everyFloodIsNamedInGoAway() {
        let peer = WirePeer()
        peer.feed([.post(1), .data(1, 0), .data(1, 0)])
        let away = peer.frames.last { $0.type == 7 }
        #expect(away?.payload[7] == 11)
        #expect(
            String(decoding: away?.payload.dropFirst(8) ?? [], as: UTF8.self) == "http2.inbound_empty_frames_flood")
    }
}
