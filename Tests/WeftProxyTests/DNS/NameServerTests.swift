import NIOCore
import NIOPosix
import Testing
import WeftIR

@testable import WeftProxy

/// Names of the mesh: what is found in the table that the control plane sends.
struct MeshNamesTests {
    private var table: NameTable {
        var web = NameTable.Entry(addresses: ["10.96.0.1"], registry: "Kubernetes")
        web.shortName = "web"
        web.namespace = "dev"
        var pod = NameTable.Entry(addresses: ["10.244.0.9"], registry: "Kubernetes")
        pod.shortName = "db-0.db"
        pod.namespace = "dev"
        return NameTable(entries: [
            "web.dev.svc.cluster.local": web, "db-0.db.dev.svc.cluster.local": pod,
            "db.example.com": .init(addresses: ["240.240.1.1"], registry: "External"),
            "*.wild.example": .init(addresses: ["240.240.1.2"], registry: "External"),
            // A name that a Service has as well.
            "web.dev": .init(addresses: ["192.0.2.1"], registry: "External"),
        ])
    }

    @Test(
        arguments: [
            ("web", "10.96.0.1", nil), ("web.dev", "10.96.0.1", nil), ("web.dev.svc", "10.96.0.1", nil),
            ("web.dev.svc.cluster.local", "10.96.0.1", nil), ("db-0.db.dev", "10.244.0.9", nil),
            ("db-0.db", "10.244.0.9", nil), ("db.example.com", "240.240.1.1", nil),
            ("db.example.com.dev.svc.cluster.local", "240.240.1.1", "db.example.com"),
            ("a.wild.example", "240.240.1.2", nil), ("a.b.wild.example", "240.240.1.2", nil),
            ("wild.example", nil, nil), ("example.com", nil, nil), ("", nil, nil),
        ] as [(String, String?, String?)])
    func findsHosts(_ name: String, _ address: String?, _ canonical: String?) {
        let names = MeshNames(table, namespace: "dev", search: ["dev.svc.cluster.local", "svc.cluster.local"])
        let match = names.find(name)
        #expect(match?.addresses.first == address)
        #expect(match?.canonical == canonical)
    }

    @Test func onlyNeighboursUseTheBareName() {
        let names = MeshNames(table, namespace: "other", search: [])
        #expect(names.find("web") == nil)
        #expect(names.find("web.dev")?.addresses == ["10.96.0.1"])
    }
}

/// Questions as they come over the wire, hostile ones among them.
struct DNSQueryTests {
    static func question(_ name: String, type: UInt16 = 1, flags: UInt8 = 1, id: UInt16 = 0x1234) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(id >> 8), UInt8(id & 255), flags, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        for label in name.split(separator: ".") { bytes += [UInt8(label.utf8.count)] + label.utf8 }
        return bytes + [0, UInt8(type >> 8), UInt8(type & 255), 0, 1]
    }

    @Test func readsAndAnswers() throws {
        let query = try DNSQuery(Self.question("WEB.dev"))
        #expect(query.name == "web.dev")
        let answer = query.answer(["10.0.0.1", "fd00::1"], canonical: nil, timeToLive: 30, isDatagram: true)
        #expect(Array(answer[..<12]) == [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
        // The question comes back as it was written.
        #expect(Array(answer[12..<16]) == [3, UInt8(ascii: "W"), UInt8(ascii: "E"), UInt8(ascii: "B")])
        #expect(Array(answer.suffix(16)) == [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 0, 0, 1])
    }

    @Test func otherFamiliesAreEmptyAnswers() throws {
        let answer = try DNSQuery(Self.question("a.b", type: 28)).answer(
            ["10.0.0.1"], canonical: nil, timeToLive: 30, isDatagram: true)
        #expect(answer[3] & 15 == 0)
        #expect(answer[7] == 0)
    }

    @Test func longAnswersAskForTCP() throws {
        let many = (0..<100).map { "10.0.0.\($0)" }
        let query = try DNSQuery(Self.question("a.b"))
        let short = query.answer(many, canonical: nil, timeToLive: 30, isDatagram: true)
        #expect(short.count <= 512)
        #expect(short[2] & 2 == 2)
        let whole = query.answer(many, canonical: nil, timeToLive: 30, isDatagram: false)
        #expect(whole[2] & 2 == 0)
        #expect(whole[7] == 100)
    }

    /// What the answer's owner is when a search domain was cut off.
    @Test func canonicalNamesComeFirst() throws {
        let answer = try DNSQuery(Self.question("db.x.search")).answer(
            ["10.0.0.1"], canonical: "db.x", timeToLive: 30, isDatagram: true)
        #expect(answer[7] == 2)
        #expect(
            try DNSMessage.answer(answer, to: Self.question("db.x.search"), kind: .a).map(\.address) == ["10.0.0.1"])
    }

    @Test(
        arguments: [
            ([], .unanswerable), ([UInt8](repeating: 0, count: 11), .unanswerable),
            // An answer is no question.
            (question("a", flags: 0x81), .unanswerable),
            // An update, and a question of another class.
            (question("a", flags: 0x29), .refused(.notImplemented)),
            (Array(question("a").dropLast()) + [3], .refused(.notImplemented)),
            // No question, two, a name that does not end, a pointer, a label too long.
            (Array(question("a").prefix(4)) + [0, 0] + question("a").dropFirst(6), .refused(.formatError)),
            (Array(question("a").prefix(4)) + [0, 2] + question("a").dropFirst(6), .refused(.formatError)),
            (Array(question("abc").prefix(14)), .refused(.formatError)),
            (Array(question("a").prefix(12)) + [0xC0, 12, 0, 1, 0, 1], .refused(.formatError)),
            (Array(question("a").prefix(12)) + [64] + [UInt8](repeating: 97, count: 80), .refused(.formatError)),
            (
                Array(question("a").prefix(12))
                    + [UInt8](repeating: 0, count: 0) + (0..<200).flatMap { _ in [1, 97] as [UInt8] } + [
                        0, 0, 1, 0, 1,
                    ],
                .refused(.formatError)
            ),
        ] as [([UInt8], DNSQuery.Problem)])
    func refusesNonsense(_ bytes: [UInt8], _ problem: DNSQuery.Problem) {
        #expect(throws: problem) { try DNSQuery(bytes) }
    }

    /// A dot inside a label is not a separator: such a name is none of the mesh's.
    @Test func dotsInLabelsDoNotSeparate() throws {
        let bytes = Array(Self.question("a").prefix(12)) + [7] + Array("web.dev".utf8) + [0, 0, 1, 0, 1]
        #expect(try DNSQuery(bytes).name != "web.dev")
    }

    /// Every prefix and every single flipped octet of a question has an answer or is left alone: nothing traps.
    @Test func anyBytesAreSafe() {
        let good = Self.question("web.dev.svc.cluster.local") + [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]
        for length in 0...good.count { _ = try? DNSQuery(Array(good.prefix(length))) }
        for index in good.indices {
            for value in stride(from: 0, through: 255, by: 5) {
                var bytes = good
                bytes[index] = UInt8(value)
                guard let query = try? DNSQuery(bytes) else { continue }
                let answer = query.answer(["10.0.0.1"], canonical: "a.b", timeToLive: 1, isDatagram: true)
                #expect(answer.count <= max(512, query.datagramLimit))
            }
        }
    }
}

/// The server on its sockets.
struct NameServerTests {
    private func ask(
        _ name: String, type: UInt16 = 1, port: Int, stream: Bool, on loop: any EventLoop
    ) async throws -> [UInt8]? {
        let bytes = DNSQueryTests.question(name, type: type)
        let query = try DNSQuery(bytes)
        let server = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        return try await loop.flatSubmit {
            let promise = loop.makePromise(of: [UInt8]?.self)
            DNSForward(
                message: bytes, query: query, isDatagram: !stream, servers: [server], timeout: .seconds(30),
                eventLoop: loop
            ) { promise.succeed($0) }.start()
            return promise.futureResult
        }.get()
    }

    @Test(arguments: [false, true]) func answersTheMeshAndForwardsTheRest(stream: Bool) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        // The upstream server is one of ours with another table.
        let upstream = NameServer(namespace: "", configuration: ResolverConfiguration(), eventLoop: loop)
        upstream.update(NameTable(entries: ["www.example.org": .init(addresses: ["192.0.2.7"], registry: "External")]))
        let above = try await upstream.start(port: 0)
        var configuration = ResolverConfiguration()
        configuration.servers = ["127.0.0.1"]
        let server = NameServer(
            namespace: "dev", configuration: configuration, upstreamPort: above, eventLoop: loop)
        server.update(NameTable(entries: ["db.example.com": .init(addresses: ["240.240.0.9"], registry: "External")]))
        let port = try await server.start(port: 0)
        for (name, address) in [("db.example.com", "240.240.0.9"), ("www.example.org", "192.0.2.7")] {
            let answer = try #require(try await ask(name, port: port, stream: stream, on: loop))
            let records = try DNSMessage.answer(answer, to: DNSQueryTests.question(name), kind: .a)
            #expect(records.map(\.address) == [address])
        }
        await server.stop()
        await upstream.stop()
    }

    @Test func failsWhenNoServerAnswers() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        var limits = NameServer.Limits()
        limits.timeout = .milliseconds(50)
        var configuration = ResolverConfiguration()
        configuration.servers = []
        let server = NameServer(namespace: "", configuration: configuration, limits: limits, eventLoop: loop)
        let port = try await server.start(port: 0)
        let answer = try #require(try await ask("nowhere.example", port: port, stream: true, on: loop))
        #expect(answer[3] & 15 == DNSQuery.Code.serverFailure.rawValue)
        await server.stop()
    }
}
