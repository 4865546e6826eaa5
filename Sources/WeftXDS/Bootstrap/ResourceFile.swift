import SwiftProtobuf
package import WeftCore
import WeftProto

/// Reads what a `path_config_source` names: a `DiscoveryResponse` in protobuf's JSON form.
package enum ResourceFile {
    /// - Throws: ``BootstrapDecoder/Failure`` with every problem that was found.
    package static func decode(_ value: JSONValue) throws(BootstrapDecoder.Failure) -> [XDSDecoder.Result] {
        var encoder = JSONMessageEncoder()
        let bytes = encoder.encode(value, as: "envoy.service.discovery.v3.DiscoveryResponse", path: "")
        guard encoder.problems.isEmpty else { throw BootstrapDecoder.Failure(problems: encoder.problems) }
        guard let wire = try? Envoy_Service_Discovery_V3_DiscoveryResponse(serializedBytes: bytes) else {
            throw BootstrapDecoder.Failure(problems: [FieldProblem(path: "", reason: "is no DiscoveryResponse")])
        }
        var results: [XDSDecoder.Result] = []
        var problems: [FieldProblem] = []
        for (index, resource) in wire.resources.enumerated() {
            do {
                results.append(try XDSDecoder().decode(resource))
            } catch {
                problems.append(FieldProblem(path: "resources[\(index)]", reason: "\(error)"))
            }
        }
        guard problems.isEmpty else { throw BootstrapDecoder.Failure(problems: problems) }
        return results
    }
}
