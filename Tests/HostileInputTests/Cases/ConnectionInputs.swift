/// What stands before HTTP: PROXY protocol and TLS.
extension HostileInputs {
    private static let after = "GET /pp HTTP/1.1\nhost: a.test\nx-id: {id}\n\n"

    private static func v2(_ command: UInt8, _ family: UInt8, _ payload: [UInt8], length: Int? = nil) -> String {
        let length = length ?? payload.count
        let bytes: [UInt8] =
            [
                13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, command, family, UInt8(length >> 8),
                UInt8(length & 255),
            ]
            + payload
        return bytes.map { "⟦" + ($0 < 16 ? "0" : "") + String($0, radix: 16) + "⟧" }.joined()
    }
    private static let ipv4: [UInt8] = [5, 6, 7, 8, 9, 9, 9, 9, 4, 0, 0, 80]

    static let proxyProtocol: [HostileCase] =
        [
            ("none", ""), ("lower case", "proxy TCP4 5.6.7.8 9.9.9.9 1 2\n"),
            ("two blanks", "PROXY  TCP4 5.6.7.8 9.9.9.9 1 2\n"),
            ("bad family", "PROXY TCP5 5.6.7.8 9.9.9.9 1 2\n"), ("bad address", "PROXY TCP4 5.6.7.800 9.9.9.9 1 2\n"),
            ("too few fields", "PROXY TCP4 5.6.7.8\n"), ("port too large", "PROXY TCP4 5.6.7.8 9.9.9.9 1 65536\n"),
            ("negative port", "PROXY TCP4 5.6.7.8 9.9.9.9 -1 2\n"),
            ("letters in a port", "PROXY TCP4 5.6.7.8 9.9.9.9 1x 2\n"),
            ("IPv6 in TCP4", "PROXY TCP4 ::1 ::1 1 2\n"), ("IPv4 in TCP6", "PROXY TCP6 5.6.7.8 9.9.9.9 1 2\n"),
            ("too long", "PROXY UNKNOWN " + String(repeating: "x", count: 200) + "\n"),
            ("bare LF", "PROXY TCP4 5.6.7.8 9.9.9.9 1 2␊"),
            ("v2 bad version", v2(0x11, 0x11, ipv4)), ("v2 bad command", v2(0x22, 0x11, ipv4)),
            ("v2 short address", v2(0x21, 0x11, [1, 2])),
            ("v2 TLV over the end", v2(0x21, 0x11, ipv4 + [2, 255, 255, 1])),
            ("v2 TLV cut", v2(0x21, 0x11, ipv4 + [2, 0])),
        ].map { http1("PROXY protocol", $0, $1 + after, "closed", port: .proxyProtocol) } + [
            http1("PROXY protocol", "v2 LOCAL", v2(0x20, 0, []) + after, "200 open", ["GET /pp"], port: .proxyProtocol),
            http1(
                "PROXY protocol", "v2 with a TLV that is not UTF-8",
                v2(0x21, 0x11, ipv4 + [2, 0, 2, 0xff, 0xfe]) + after, "200 open",
                ["GET /pp"], port: .proxyProtocol),
            http1(
                "PROXY protocol", "a second one",
                "PROXY TCP4 5.6.7.8 9.9.9.9 1 2\nPROXY TCP4 1.1.1.1 9.9.9.9 1 2\n" + after, refused,
                port: .proxyProtocol),
            http1("PROXY protocol", "where nobody asked for it", "PROXY TCP4 5.6.7.8 9.9.9.9 1 2\n" + after, refused),
        ]

    private static func tls(_ name: String, _ bytes: [UInt8], _ expected: String = "closed") -> HostileCase {
        HostileCase(group: "TLS", name: name, port: .tls, parts: [bytes], expected: expected)
    }
    static let tls: [HostileCase] = [
        tls("plain HTTP", Array("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n".utf8)),
        tls("empty record", [22, 3, 1, 0, 0], "open"),
        tls("huge record", [22, 3, 1, 255, 255] + [UInt8](repeating: 0, count: 70_000)),
        tls("hello of length zero", [22, 3, 1, 0, 4, 1, 0, 0, 0]),
        tls(
            "hello longer than the record",
            [22, 3, 1, 0, 6, 1, 0, 0, 1, 3, 3]
                + [UInt8](repeating: 0, count: 100)),
        tls("not a hello", [22, 3, 1, 0, 4, 2, 0, 0, 0]),
        tls("SSL 2 hello", [128, 46, 1, 0, 2] + [UInt8](repeating: 0, count: 60)),
        tls("alert first", [21, 3, 1, 0, 2, 2, 99]), tls("data first", [23, 3, 3, 0, 3, 1, 2, 3]),
        tls("unknown content type", [99, 3, 3, 0, 3, 1, 2, 3]), tls("NULs", [UInt8](repeating: 0, count: 200)),
        tls("high bytes", [UInt8](repeating: 255, count: 200)),
    ]
}
