import NIOCore
import NIOEmbedded
import Testing
import WeftCore

@testable import WeftProxy

private let metadata: JSONValue = [
    "NAMESPACE": "dev", "WORKLOAD_NAME": "shop-v2", "CLUSTER_ID": "Kubernetes",
    "LABELS": ["app": "shop", "version": "v2", "secret": "no"],
]
private let principal = "spiffe://cluster.local/ns/dev/sa/shop"
private let introduction = PeerMetadata.introduction(id: "sidecar~1", metadata: metadata)

@Suite("Introductions on plain connections")
struct IntroductionTests {
    private struct Outcome {
        /// What reaches the application.
        var passed: [UInt8] = []
        /// What was taken from the front.
        var told: [[UInt8]?] = []
        var isOpen = false
    }

    private func send(_ reads: [[UInt8]], closing: Bool = false) throws -> Outcome {
        var told: [[UInt8]?] = []
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(IntroductionHandler { told.append($0) })
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        var passed: [UInt8] = []
        for bytes in reads where channel.isActive {
            try channel.writeInbound(ByteBuffer(bytes: bytes))
            while let part = try channel.readInbound(as: ByteBuffer.self) { passed += Array(buffer: part) }
        }
        if closing {
            channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            while let part = try channel.readInbound(as: ByteBuffer.self) { passed += Array(buffer: part) }
        }
        let isOpen = channel.isActive
        _ = try? channel.finish(acceptAlreadyClosed: true)
        return Outcome(passed: passed, told: told, isOpen: isOpen)
    }

    @Test("the message is taken off, however it is cut into reads")
    func taken() throws {
        let all = introduction + Array("hello".utf8)
        for reads in [[all], all.map { [$0] }, [Array(all.prefix(6)), Array(all.dropFirst(6))]] {
            let result = try send(reads)
            #expect(result.passed == Array("hello".utf8))
            #expect(result.told.count == 1)
            let message = try #require(result.told.first ?? nil)
            let decoded = try #require(PeerMetadata.decodeIntroduction(message))
            #expect(decoded.id == "sidecar~1")
            #expect(decoded.labels == WorkloadLabels(metadata: metadata))
        }
    }

    @Test("anything else goes on untouched", arguments: ["hello", "=#", "=#\u{4}x", ""])
    func others(text: String) throws {
        let bytes = Array(text.utf8)
        let result = try send(bytes.map { [$0] }, closing: true)
        #expect(result.passed == bytes)
        #expect(result.told == [nil])
    }

    @Test("one that announces more than a proxy sends ends the connection")
    func oversized() throws {
        let result = try send([Array(introduction.prefix(4)) + [0x7f, 0xff, 0xff, 0xff], Array("hello".utf8)])
        #expect(result.passed.isEmpty && !result.isOpen)
    }

    @Test("the certificate's namespace wins, and what cannot be read names nobody")
    func believed() {
        var table = PeerTable()
        let body = Array(introduction.dropFirst(8))
        let index = table.index(principal: principal, introduction: body)
        #expect(table[index].labels.workload == "shop-v2" && table[index].principal == principal)
        #expect(table.index(principal: principal, introduction: body) == index)
        let forged = table.index(principal: "spiffe://cluster.local/ns/evil/sa/x", introduction: body)
        #expect(table[forged].labels.namespace == "evil")
        let broken = table.index(principal: principal, introduction: [1, 2, 3])
        #expect(table[broken].labels.workload == "" && table[broken].labels.namespace == "dev")
    }

    @Test("a client that says nothing is who has its address, in the namespace that it proved")
    func addresses() {
        var table = PeerTable()
        var asked: [String] = []
        func workload(_ address: String) -> WorkloadLabels? {
            asked.append(address)
            return address == "10.0.0.1" ? WorkloadLabels(metadata: metadata) : nil
        }
        let known = table.index(principal: principal, address: "10.0.0.1", workload: workload)
        #expect(table[known].labels.workload == "shop-v2" && !table.isNameless(known))
        #expect(table.index(principal: principal, address: "10.0.0.1", workload: workload) == known)
        #expect(asked.count == 1)
        let plain = table.index(principal: nil, address: "10.0.0.1", workload: workload)
        #expect(table[plain].labels.workload == "shop-v2" && table[plain].principal.isEmpty)
        #expect(table.index(principal: nil, address: "192.0.2.1", workload: workload) == 0)
        let other = table.index(
            principal: "spiffe://cluster.local/ns/other/sa/x", address: "10.0.0.1", workload: workload)
        #expect(table.isNameless(other) && table[other].labels.namespace == "other")
        table.forgetAddresses()
        #expect(table.index(principal: principal, address: "10.0.0.1", workload: { _ in nil }) != known)
    }
}
