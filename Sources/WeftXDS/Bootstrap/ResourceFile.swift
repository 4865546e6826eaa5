import FoundationEssentials
package import SwiftProtobuf
package import WeftCore
import WeftIR
import WeftProto

/// Reads what a `path_config_source` names: a `DiscoveryResponse`, in protobuf's JSON form or in binary.
package enum ResourceFile {
    /// What a file holds. A resource that cannot be used does not spoil the others.
    package struct Content: Sendable {
        package var results: [XDSDecoder.Result] = []
        /// What cannot be used, with its place: `resources[3]: …`.
        package var problems: [String] = []
        /// The names of all resources, also of those that cannot be used.
        package var names: Set<String> = []
    }

    /// - Throws: ``BootstrapDecoder/Failure`` with every problem that was found; a file is good as a whole or not at all.
    package static func decode(_ value: JSONValue) throws(BootstrapDecoder.Failure) -> [XDSDecoder.Result] {
        let content = read(try response(value), RuntimeValues())
        guard content.problems.isEmpty else {
            throw BootstrapDecoder.Failure(problems: content.problems.map { FieldProblem(path: "", reason: $0) })
        }
        return content.results
    }

    /// - Throws: ``BootstrapDecoder/Failure`` if the value is no `DiscoveryResponse`.
    package static func content(
        _ value: JSONValue, runtime: RuntimeValues = RuntimeValues()
    ) throws(BootstrapDecoder.Failure) -> Content {
        read(try response(value), runtime)
    }

    /// The same of a file in binary (`.pb`).
    package static func content(
        binary bytes: [UInt8], runtime: RuntimeValues = RuntimeValues()
    ) throws(BootstrapDecoder.Failure) -> Content {
        guard let wire = try? Envoy_Service_Discovery_V3_DiscoveryResponse(serializedBytes: bytes) else {
            throw BootstrapDecoder.Failure(problems: [FieldProblem(path: "", reason: "is no DiscoveryResponse")])
        }
        return read(wire, runtime)
    }

    private static func response(
        _ value: JSONValue
    ) throws(BootstrapDecoder.Failure) -> Envoy_Service_Discovery_V3_DiscoveryResponse {
        var encoder = JSONMessageEncoder()
        let bytes = encoder.encode(value, as: "envoy.service.discovery.v3.DiscoveryResponse", path: "")
        guard encoder.problems.isEmpty else { throw BootstrapDecoder.Failure(problems: encoder.problems) }
        guard let wire = try? Envoy_Service_Discovery_V3_DiscoveryResponse(serializedBytes: bytes) else {
            throw BootstrapDecoder.Failure(problems: [FieldProblem(path: "", reason: "is no DiscoveryResponse")])
        }
        return wire
    }

    private static func read(
        _ wire: Envoy_Service_Discovery_V3_DiscoveryResponse, _ runtime: RuntimeValues
    ) -> Content {
        var content = Content()
        for (index, resource) in wire.resources.enumerated() {
            if let name = ResourceName.of(resource) { content.names.insert(name) }
            do {
                content.results.append(try XDSDecoder(runtime: runtime).decode(resource))
            } catch {
                content.problems.append("resources[\(index)]: \(error)")
            }
        }
        return content
    }
}

/// Reads a resource's name without decoding the resource: in every type it is the string of field 1.
package enum ResourceName {
    package static func of(_ any: Google_Protobuf_Any) -> String? {
        if any.typeURL == ResourceType.names.typeURL { return NameTable.resourceName }
        var bytes = any.value[...]
        while let (number, wireType) = tag(&bytes) {
            switch wireType {
            case 0: guard varint(&bytes) != nil else { return nil }
            case 1: bytes = bytes.dropFirst(8)
            case 5: bytes = bytes.dropFirst(4)
            case 2:
                guard let length = varint(&bytes), length <= bytes.count else { return nil }
                if number == 1 { return String(decoding: bytes.prefix(Int(length)), as: UTF8.self) }
                bytes = bytes.dropFirst(Int(length))
            default: return nil
            }
        }
        return nil
    }

    private static func tag(_ bytes: inout Data.SubSequence) -> (number: UInt64, wireType: UInt64)? {
        varint(&bytes).map { ($0 >> 3, $0 & 7) }
    }

    private static func varint(_ bytes: inout Data.SubSequence) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
