import Foundation
import Testing

/// The comparison of our `.proto` files with the published ones must be able to fail: each case makes one mistake in a
/// copy and expects `dev/proto-compare.py` to name it.
@Suite(.serialized) struct ProtoCompareTests {
    /// One deliberate mistake.
    struct Mistake: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var file: String
        var from: String
        var to: String
        /// What the report must say.
        var report: String
    }

    private static let route = "envoy/config/route/v3/route.proto"
    private static let discovery = "envoy/service/discovery/v3/discovery.proto"

    static let mistakes = [
        Mistake(
            testDescription: "field number", file: route, from: "google.protobuf.UInt32Value num_retries = 2;",
            to: "google.protobuf.UInt32Value num_retries = 77;", report: "RetryPolicy.num_retries: ours is (77,"),
        Mistake(
            testDescription: "field type", file: route, from: "google.protobuf.UInt32Value num_retries = 2;",
            to: "uint64 num_retries = 2;", report: "RetryPolicy.num_retries: ours is (2,"),
        Mistake(
            testDescription: "field name", file: route, from: "google.protobuf.UInt32Value num_retries = 2;",
            to: "google.protobuf.UInt32Value number_of_retries = 2;", report: "number_of_retries: no such field"),
        Mistake(
            testDescription: "method name", file: discovery, from: "rpc StreamAggregatedResources(",
            to: "rpc StreamAllResources(", report: "StreamAllResources: not the published method"),
        Mistake(
            testDescription: "streaming of a method", file: discovery,
            from: "rpc StreamAggregatedResources(stream DiscoveryRequest)",
            to: "rpc StreamAggregatedResources(DiscoveryRequest)",
            report: "StreamAggregatedResources: not the published method"),
    ]

    private func compare(_ folder: String) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", LayerTests.root.appending(path: "dev/proto-compare.py").path(percentEncoded: false), folder,
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    @Test(arguments: mistakes) func findsTheMistake(_ mistake: Mistake) throws {
        let folder = NSTemporaryDirectory() + "weft-protos-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let ours = LayerTests.root.appending(path: "Sources/WeftProto/Protos").path(percentEncoded: false)
        try FileManager.default.copyItem(atPath: ours, toPath: folder)
        let path = "\(folder)/\(mistake.file)"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try #require(text.contains(mistake.from), "\(mistake.file) does not hold \(mistake.from) any more")
        try text.replacingOccurrences(of: mistake.from, with: mistake.to)
            .write(toFile: path, atomically: true, encoding: .utf8)
        let result = try compare(folder)
        #expect(result.status == 1, "\(result.output)")
        #expect(result.output.contains(mistake.report), "\(result.output)")
    }
}
