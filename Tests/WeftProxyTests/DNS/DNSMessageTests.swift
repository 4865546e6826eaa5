import Testing
import WeftIR

@testable import WeftProxy

/// Builds answers by hand.
private func answer(_ query: [UInt8], flags: [UInt8] = [0x81, 0x80], _ records: [[UInt8]], count: Int? = nil) -> [UInt8]
{
    let number = count ?? records.count
    return Array(query.prefix(2)) + flags + [0, 1, UInt8(number >> 8), UInt8(number & 255), 0, 0, 0, 0]
        + query.dropFirst(12) + records.flatMap { $0 }
}

private func record(_ type: UInt8, ttl: UInt8, _ data: [UInt8], name: [UInt8] = [0xC0, 12]) -> [UInt8] {
    name + [0, type, 0, 1, 0, 0, 0, ttl, UInt8(data.count >> 8), UInt8(data.count & 255)] + data
}

@Suite struct DNSMessageTests {
    private let query = DNSMessage.query("Web.example.com", kind: .a, id: 0x1234) ?? []

    @Test func questions() {
        #expect(query.prefix(12) == [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
        #expect(query.dropFirst(12).prefix(4) == [3, 119, 101, 98])
        #expect(query.suffix(5) == [0, 0, 1, 0, 1])
        #expect(DNSMessage.query("a.b.", kind: .a, id: 0) == DNSMessage.query("a.b", kind: .a, id: 0))
        for name in ["", "a..b", String(repeating: "a", count: 64), "a b", String(repeating: "a.", count: 130)] {
            #expect(DNSMessage.query(name, kind: .a, id: 0) == nil, "\(name)")
        }
    }

    @Test func addressesWithTheShortestLife() throws {
        let cname = record(5, ttl: 9, [3, 99, 100, 110, 0])
        let first = record(1, ttl: 60, [10, 0, 0, 1])
        let second = record(1, ttl: 5, [10, 0, 0, 2])
        let other = record(28, ttl: 60, Array(repeating: 1, count: 16))
        let found = try DNSMessage.answer(answer(query, [cname, first, other, second]), to: query, kind: .a)
        #expect(found == [.init(address: "10.0.0.1", timeToLive: 9), .init(address: "10.0.0.2", timeToLive: 5)])
        let six = DNSMessage.query("h", kind: .aaaa, id: 1) ?? []
        let address = record(28, ttl: 1, [0x20, 1, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [1])
        #expect(
            try DNSMessage.answer(answer(six, [address]), to: six, kind: .aaaa).first?.address == "2001:db8:0:0:0:0:0:1"
        )
    }

    @Test func problems() {
        func problem(_ bytes: [UInt8]) -> DNSMessage.Problem? {
            do throws(DNSMessage.Problem) {
                _ = try DNSMessage.answer(bytes, to: query, kind: .a)
                return nil
            } catch { return error }
        }
        let good = answer(query, [record(1, ttl: 1, [1, 2, 3, 4])])
        #expect(problem(good) == nil)
        #expect(problem([0xFF] + good.dropFirst()) == .unexpected)
        var other = good
        other[13] = 120
        #expect(problem(other) == .unexpected)
        #expect(problem(answer(query, flags: [0x01, 0x80], [])) == .unexpected)
        #expect(problem(answer(query, flags: [0x83, 0x80], [])) == .truncated)
        #expect(problem(answer(query, flags: [0x81, 0x83], [])) == .noSuchName)
        #expect(problem(answer(query, flags: [0x81, 0x82], [])) == .server(2))
        // More records promised than sent, a name without end, data that ends too soon.
        #expect(problem(answer(query, [], count: 3)) == .malformed)
        #expect(problem(answer(query, [record(1, ttl: 1, [], name: [5, 1])])) == .malformed)
        #expect(problem(Array(good.dropLast())) == .malformed)
        #expect(problem(answer(query, [record(1, ttl: 1, [], name: [0x80, 1])])) == .malformed)
        // Case does not matter; a pointer to itself is not followed.
        var upper = good
        upper[13] = 87
        #expect(problem(upper) == nil)
        #expect(problem(answer(query, [record(1, ttl: 1, [1, 2, 3, 4], name: [0xC0, 33])])) == nil)
    }

    /// Cut anywhere and with any byte changed: an answer or an error, never a crash.
    @Test func brokenAnswersAreOnlyErrors() {
        let good = answer(query, [record(5, ttl: 9, [3, 99, 100, 110, 0]), record(1, ttl: 1, [1, 2, 3, 4])])
        var results = 0
        for length in 0...good.count {
            if (try? DNSMessage.answer(Array(good.prefix(length)), to: query, kind: .a)) != nil { results += 1 }
        }
        #expect(results == 1)
        for index in good.indices {
            for value in [UInt8(0), 1, 63, 64, 128, 192, 255] {
                var bytes = good
                bytes[index] = value
                let found = (try? DNSMessage.answer(bytes, to: query, kind: .a)) ?? []
                #expect(found.count <= 2)
            }
        }
    }

    @Test func resolvConf() {
        let text = """
            # made by kubelet
            search shop.svc.cluster.local svc.cluster.local cluster.local
            nameserver 10.96.0.10
            options ndots:5 timeout:1 attempts:3
            """
        let configuration = ResolverConfiguration(text, hosts: "127.0.0.1 localhost\n10.1.2.3 pod Pod.shop # me\n")
        #expect(configuration.servers == ["10.96.0.10"])
        #expect(configuration.minimumDots == 5 && configuration.timeoutSeconds == 1 && configuration.attempts == 3)
        #expect(
            configuration.candidates("web") == [
                "web.shop.svc.cluster.local", "web.svc.cluster.local", "web.cluster.local", "web",
            ])
        #expect(configuration.candidates("a.b.c.d.e.f").first == "a.b.c.d.e.f")
        #expect(configuration.candidates("web.") == ["web."])
        #expect(configuration.hosts["pod.shop"] == ["10.1.2.3"])
        #expect(ResolverConfiguration("").servers == ["127.0.0.1"])
    }

    @Test(
        arguments: [
            ("web", "web", nil), ("web:80", "web", 80), ("[::1]:80", "::1", 80), ("[::1]", "::1", nil),
            ("::1", "::1", nil),
            ("web:x", "web", nil), ("web:99999", "web", nil),
        ] as [(String, String, Int?)])
    func authorities(text: String, host: String, port: Int?) {
        let result = RequestAuthority.split(text)
        #expect(result.host == host && result.port == port)
    }
}
