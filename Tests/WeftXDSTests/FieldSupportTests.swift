import Foundation
import SwiftProtobuf
import Testing
import WeftCore
import WeftProto

@testable import WeftXDS

/// The table of what happens to each field, its page in the docs, and the decoder that goes by it.
@Suite struct FieldSupportTests {
    private static let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/xds-fields.md")

    @Test func everyEntryNamesAFieldAndAReason() {
        let support = FieldSupport.shared
        #expect(support.malformed.isEmpty)
        #expect(support.exceptions.count > 100)
        for entry in support.exceptions {
            let field = FieldSchema.shared.messages[entry.message]?.field(entry.number)
            #expect(field?.name == entry.name, "\(entry.message) \(entry.number)")
            #expect(!entry.reason.isEmpty)
            #expect(entry.verdict != .obeyed, "what is obeyed needs no entry: \(entry.name)")
        }
        let names = support.exceptions.map { "\($0.message) \($0.number)" }
        #expect(Set(names).count == names.count)
    }

    @Test func pageIsWhatTheCodeSays() throws {
        let text = FieldSupport.shared.markdown
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try text.write(to: Self.page, atomically: true, encoding: .utf8)
        }
        let committed = try String(contentsOf: Self.page, encoding: .utf8)
        #expect(committed == text, "run dev/xds-table")
    }

    /// A field of our definitions that has no effect is named with its path, and the resource is taken.
    @Test func ignoredFieldIsNamed() throws {
        var cluster = Envoy_Config_Cluster_V3_Cluster()
        cluster.name = "c"
        cluster.commonLbConfig.closeConnectionsOnHostSetChange = true
        let result = try XDSDecoder().decode(pack(cluster))
        #expect(
            result.warnings.contains { $0.hasPrefix("common_lb_config.close_connections_on_host_set_change has no") })
        #expect(
            result.ignoredFields.contains(
                "envoy.config.cluster.v3.Cluster.CommonLbConfig.close_connections_on_host_set_change"))
    }

    /// A field that only the published definitions have is named by them; one that nobody has, by its number.
    @Test(arguments: [(49, "track_cluster_stats has no effect: not implemented"), (9_999, "field 9999 has no effect")])
    func unknownFieldIsNamed(number: Int, expected: String) throws {
        var bytes = WireBytes()
        bytes.delimited(1, "c".utf8)
        bytes.delimited(number, [])
        var any = Google_Protobuf_Any()
        any.typeURL = ResourceType.cluster.typeURL
        any.value = Data(bytes.bytes)
        let result = try XDSDecoder().decode(any)
        #expect(result.warnings.contains { $0.hasPrefix(expected) }, "\(result.warnings)")
    }

    /// What would be unsafe to leave out refuses the resource, with its path.
    @Test func refusedFieldIsANack() throws {
        var listener = Envoy_Config_Listener_V3_Listener()
        listener.name = "l"
        var chain = WireBytes()
        var match = WireBytes()
        match.delimited(4, "10.0.0.0".utf8)
        chain.delimited(1, match.bytes)
        var bytes = WireBytes()
        bytes.delimited(1, "l".utf8)
        bytes.delimited(3, chain.bytes)
        var any = Google_Protobuf_Any()
        any.typeURL = ResourceType.listener.typeURL
        any.value = Data(bytes.bytes)
        let error = #expect(throws: XDSDecodingError.self) { try XDSDecoder().decode(any) }
        #expect(error?.field == "filter_chains[0].filter_chain_match.address_suffix")
    }

    @Test func tagsOfUnknownFieldsAreRead() {
        var bytes = WireBytes()
        bytes.varint(3, 1 << 40)
        bytes.fixed32(5, 7)
        bytes.fixed64(6, 7)
        bytes.delimited(8, [1, 2, 3])
        bytes.varint(3, 2)
        #expect(UnknownFields.numbers(in: Data(bytes.bytes)) == [3, 5, 6, 8])
        // Cut off anywhere, it ends.
        for end in 0..<bytes.bytes.count {
            #expect(UnknownFields.numbers(in: Data(bytes.bytes.prefix(end))).count <= 4)
        }
    }
}
