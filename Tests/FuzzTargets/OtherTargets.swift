import Foundation
import NIOCore
import SwiftProtobuf
import WeftCore
import WeftRouting
import WeftTransport
import WeftXDS

extension FuzzTarget {
    /// A hello of TLS 1.2 with the server name `a.test` and ALPN `h2`.
    private static let hello: [UInt8] = {
        let name: [UInt8] = [0, 0, 0, 11, 0, 9, 0, 0, 6] + Array("a.test".utf8)
        let alpn: [UInt8] = [0, 16, 0, 5, 0, 3, 2, 104, 50]
        let extensions = name + alpn
        let body: [UInt8] =
            [3, 3] + [UInt8](repeating: 7, count: 32) + [0, 0, 2, 0x13, 1, 1, 0, 0, UInt8(extensions.count)]
            + extensions
        return [22, 3, 1, 0, UInt8(body.count + 4), 1, 0, 0, UInt8(body.count)] + body
    }()

    /// The same hello whether it is looked at once or as it grows.
    static let clientHello = FuzzTarget(
        name: "client-hello", seeds: [hello, Array(hello.prefix(9)), [22, 3, 1, 0, 0]],
        words: ["\u{16}\u{3}\u{1}", "\0\0", "h2"]
    ) { bytes in
        let whole = ClientHello.parse(ByteBuffer(bytes: bytes))
        for count in 0..<min(bytes.count, 200) {
            let part = ClientHello.parse(ByteBuffer(bytes: bytes.prefix(count)))
            if part != .needMore, part != whole { return "\(count) bytes: \(part), all: \(whole)" }
        }
        return nil
    }

    private static func halves(_ bytes: [UInt8]) -> (String, ArraySlice<UInt8>) {
        let split = bytes.firstIndex(of: 0) ?? bytes.count / 2
        return (String(decoding: bytes[..<split], as: UTF8.self), bytes[split...].dropFirst())
    }

    /// A pattern, NUL, an input: compiling and matching end.
    static let regex = FuzzTarget(
        name: "regex",
        seeds: [
            "[a-z]+\0abc", "(a|b)*c{2,3}\0ababcc", "(?i)^/x/.*$\0/X/y", "\\d{1,3}\\.\\w\0" + "1.a",
            "((a*)*)*b\0aaaaaaaaaaaaaaaa",
        ]
        .map { Array($0.utf8) },
        words: ["(", ")", "[", "]", "{1,2}", "*", "+", "?", "|", "\\", "(?i)", "[^", "\\pL", "{1000}", ".*"]
    ) { bytes in
        let (pattern, input) = halves(bytes)
        guard let regex = try? WeftCore.Regex(pattern) else { return nil }
        return regex.matches(input) == regex.matches(Array(input)) ? nil : "two answers for one input"
    }

    static let rewrite = FuzzTarget(
        name: "rewrite", seeds: ["^/s/([^/]+)(/.*)$\0/s/a/b", "(a)(b)?\0aab"].map { Array($0.utf8) },
        words: ["(", ")", "[^/]", "*", "\\1", "$", "^", "|"]
    ) { bytes in
        let (pattern, input) = halves(bytes)
        guard let rewrite = try? RegexReplacement(pattern, substitution: "<\\0>") else { return nil }
        // Each match adds two signs; there are at most as many matches as places.
        let result = rewrite.apply(to: Array(input))
        return result.count <= input.count + 2 * (input.count + 1) ? nil : "\(input.count) bytes became \(result.count)"
    }

    /// A type URL's number, then a serialised resource.
    static let xds = FuzzTarget(
        name: "xds",
        seeds: [
            [0, 10, 1, 97], [1, 10, 1, 97, 18, 0], [2, 10, 3, 97, 98, 99], [3, 10, 1, 97, 18, 4, 10, 2, 18, 0],
        ],
        words: ["\n", "\u{12}", "\u{1a}", "\"", "*", "\u{8}\u{1}"]
    ) { bytes in
        let types = [
            "config.listener.v3.Listener", "config.route.v3.RouteConfiguration", "config.cluster.v3.Cluster",
            "config.endpoint.v3.ClusterLoadAssignment", "extensions.transport_sockets.tls.v3.Secret",
        ]
        guard let first = bytes.first else { return nil }
        let any = Google_Protobuf_Any.with {
            $0.typeURL = "type.googleapis.com/envoy." + types[Int(first) % types.count]
            $0.value = Data(bytes.dropFirst())
        }
        _ = try? XDSDecoder().decode(any)
        return nil
    }

    static let bootstrap = FuzzTarget(
        name: "bootstrap",
        seeds: [
            #"{"static_resources":{"listeners":[{"name":"l","address":{"socket_address":{"address":"1.2.3.4","port_value":1}}}]}}"#,
            #"{"admin":{"address":{"pipe":{"path":"/x"}}},"node":{"id":"a"},"static_resources":{"clusters":[{"name":"c","type":"STATIC"}]}}"#,
        ].map { Array($0.utf8) },
        words: [
            "{", "}", "[", "]", ":", "\"", ",", "null", "true", "-1", "1e400", "\\u0000", "\"@type\":",
            "99999999999999999999",
        ]
    ) { bytes in
        guard let value = try? JSONValue(parsing: Data(bytes)) else { return nil }
        _ = try? BootstrapDecoder.decode(value)
        return nil
    }
}
