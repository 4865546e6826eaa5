import FoundationEssentials
package import SwiftProtobuf
import WeftIR
import WeftProto

extension XDSEncoder {
    /// A listener for a client that is no proxy: it has no address, only what to do with requests
    /// (`envoy.config.listener.v3.ApiListener`), here a route table by name.
    package func encodeAPIListener(name: String, routes: String) throws -> Google_Protobuf_Any {
        let manager = HTTPConnectionManager(
            statPrefix: name, routes: .rds(routes),
            filters: [HTTPFilter(name: "envoy.filters.http.router", kind: .router)])
        var inner = Wire()
        inner.add(field: 1, try pack(manager.wire(target)).serializedBytes())
        var listener = Wire()
        listener.add(field: 1, Array(name.utf8))
        listener.add(field: 19, inner.bytes)
        var any = Google_Protobuf_Any()
        any.typeURL = ResourceType.listener.typeURL
        any.value = .init(listener.bytes)
        return any
    }
}

/// Fields of length-delimited type, one after the other (protobuf's encoding, "Message structure").
private struct Wire {
    var bytes: [UInt8] = []

    mutating func add(field: UInt64, _ content: [UInt8]) {
        add(varint: field << 3 | 2)
        add(varint: UInt64(content.count))
        bytes += content
    }

    private mutating func add(varint: UInt64) {
        var rest = varint
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
