import Testing
import WeftHTTP
import WeftIR
import WeftRouting

/// Keys of requests, as Envoy makes them.
@Suite struct ScopeKeyTests {
    private func key(_ parts: [ScopedRoutes.KeyPart], _ headers: [(String, String)]) -> [String]? {
        let head = RequestHead(.get, "/p", authority: "h.test", headers: headers)
        return ScopeKeyBuilder(parts).key(of: head)?.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: [
        ("a,b,c", 0, "a"), ("a,b,c", 2, "c"), ("a,b,c", 3, nil), ("a,,c", 1, ""), ("", 0, ""), ("a", 1, nil),
        (",", 1, ""),
    ])
    func elementsByPlace(value: String, index: UInt32, expected: String?) {
        let part = ScopedRoutes.KeyPart(header: "X-Scope", elementSeparator: ",", piece: .index(index))
        #expect(key([part], [("x-scope", value)]) == expected.map { [$0] })
    }

    @Test(arguments: [
        ("zone=b", "b"), ("x=1; zone=b", nil), ("x=1;zone=b", "b"), ("zone=b=c", "b=c"), ("zone", ""), ("zone=", ""),
        ("zone=a;zone=b", "a"), ("Zone=a", nil), ("", nil), ("xzone=a", nil),
    ])
    func elementsByKey(value: String, expected: String?) {
        let part = ScopedRoutes.KeyPart(
            header: "x-scope", elementSeparator: ";", piece: .element(separator: "=", key: "zone"))
        #expect(key([part], [("x-scope", value)]) == expected.map { [$0] })
    }

    @Test func partsMakeOneKey() {
        let parts: [ScopedRoutes.KeyPart] = [.init(header: "x-a"), .init(header: ":authority"), .init(header: "host")]
        #expect(key(parts, [("x-a", "1,2"), ("x-a", "3")]) == ["1,2", "h.test", "h.test"])
        #expect(key(parts, [("x-b", "1")]) == nil)
        #expect(
            key([.init(header: ":path"), .init(header: ":method"), .init(header: ":scheme")], []) == [
                "/p", "GET", "http",
            ])
        let long = ScopedRoutes.KeyPart(header: "x-a", elementSeparator: "--", piece: .index(1))
        #expect(key([long], [("x-a", "1-2--3---4")]) == ["3"])
    }
}
