import Foundation
import Testing
import WeftConfig
import WeftCore
import WeftIR
import WeftTranslate

@testable import WeftXDS

/// What the Gateway API becomes on the wire: nothing is lost on the way to a proxy, and Envoy's encoding can say it too.
@Suite struct GatewayAPIWireTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "WeftTranslateTests/Golden")
    private static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter {
        $0.hasPrefix("gatewayapi-") && $0.hasSuffix(".in.yaml")
    }.sorted()

    private func configuration(_ name: String) throws -> ProxyConfiguration {
        func objects(_ path: String) throws -> [KubernetesObject] {
            try ManifestReader.objects(in: String(contentsOf: Self.folder.appending(path: path), encoding: .utf8))
                .map(\.object)
        }
        let input = try objects(name)
        let header = try #require(input.first { $0.kind == "Case" })
        let proxy = try #require(
            ProxyIdentity(
                nodeID: header.json["proxy"]?.stringValue ?? "", metadata: header.json["metadata"] ?? .object([:])))
        let snapshot = MeshSnapshot(
            objects: input.filter { $0.kind != "Case" } + (try objects("base/gateway-api.yaml")))
        return Translator(snapshot).configuration(for: proxy).0
    }

    @Test(arguments: names)
    func theWireSaysTheSame(_ name: String) throws {
        let configuration = try configuration(name)
        let resources: [DecodedResource] =
            configuration.listeners.values.map { .listener($0) } + configuration.routes.values.map { .route($0) }
            + configuration.clusters.values.map { .cluster($0) }
        #expect(!resources.isEmpty)
        for resource in resources {
            #expect(try XDSDecoder().decode(XDSEncoder(target: .weft).encode(resource)).value == resource, "\(name)")
            _ = try XDSEncoder(target: .envoy).encode(resource)
        }
    }

    @Test func thereAreCases() { #expect(Self.names.count >= 7) }
}
