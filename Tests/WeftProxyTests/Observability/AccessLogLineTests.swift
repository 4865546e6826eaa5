import Foundation
import NIOCore
import Testing
import WeftCore
import WeftIR
import WeftTransport

@testable import WeftProxy

/// Lines that are written byte by byte say what the operators say one by one.
@Suite(.timeLimit(.minutes(1))) struct AccessLogLineTests {
    /// All but those that tell of the moment itself.
    private static let operators = [
        "%REQ(:METHOD)%", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "%REQ(:AUTHORITY)%", "%REQ(:SCHEME)%", "%PROTOCOL%",
        "%RESPONSE_CODE%", "%RESPONSE_FLAGS%", "%RESPONSE_CODE_DETAILS%", "%CONNECTION_TERMINATION_DETAILS%",
        "%UPSTREAM_TRANSPORT_FAILURE_REASON%", "%BYTES_RECEIVED%", "%BYTES_SENT%", "%RESP(SERVER)%",
        "%RESP(X-ABSENT)%", "%RESP(X-ABSENT?CONTENT-LENGTH)%", "%RESP(X-ABSENT?X-ABSENT-TOO)%", "%RESP(:STATUS)%",
        "%REQ(X-FORWARDED-FOR)%", "%REQ(USER-AGENT)%", "%REQ(X-ABSENT?USER-AGENT)%", "%REQ(X-ABSENT)%",
        "%REQ(X-REQUEST-ID)%", "%UPSTREAM_HOST%", "%UPSTREAM_CLUSTER_RAW%", "%UPSTREAM_CLUSTER%",
        "%UPSTREAM_LOCAL_ADDRESS%", "%DOWNSTREAM_LOCAL_ADDRESS%", "%DOWNSTREAM_REMOTE_ADDRESS%",
        "%REQUESTED_SERVER_NAME%", "%ROUTE_NAME%", "%UPSTREAM_PROTOCOL%", "%REQ(USER-AGENT):3%", "%GRPC_STATUS%",
        "%PATH(NQ)%", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    ]

    private func lines(_ request: String) async throws -> (line: String, single: [String]) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weft-log-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (text, json) = (folder.appendingPathComponent("text"), folder.appendingPathComponent("json"))
        // In an object each operator is asked for its value alone.
        let members = Dictionary(
            uniqueKeysWithValues: Self.operators.enumerated().map { ("\($0 + 100)", JSONValue.string($1 + "|")) })
        let server = try await CollectorServer(.http2)
        let proxy = try await ObservedProxy(["up": (server.port, true)]) { manager in
            manager.accessLogs = [
                AccessLog(path: text.path, format: .text(Self.operators.joined(separator: "|") + "|\n")),
                AccessLog(path: json.path, format: .json(members)),
            ]
        }
        _ = try await proxy.ask(request)
        await proxy.stop()
        await server.stop()
        let object = try JSONValue(parsing: String(contentsOf: json, encoding: .utf8))
        let single = Self.operators.indices.map { object["\($0 + 100)"]?.stringValue ?? "none" }
        return (try String(contentsOf: text, encoding: .utf8), single)
    }

    @Test(arguments: [
        "GET /a?b=c HTTP/1.1\r\nHost: shop\r\nUser-Agent: tester\r\nConnection: close\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: shop\r\nX-Forwarded-For: 2001:db8::1\r\nConnection: close\r\n\r\n",
        "no request\r\n\r\n",
    ])
    func aLineSaysWhatItsOperatorsSay(_ request: String) async throws {
        let (line, single) = try await lines(request)
        #expect(line == single.joined() + "\n")
    }

    @Test(arguments: [0, 999_999_999, 1_000_000_000, 1_763_745_360_007_000_000, 1_763_745_360_070_999_999])
    func momentsAreWrittenAsTheClockWritesThem(_ nanoseconds: Int64) {
        var second = LogSecond()
        let line = LogBuffer(path: "")
        second.write(nanoseconds, to: line)
        second.write(nanoseconds, to: line)
        let text = LogClock.standard(nanoseconds)
        #expect(String(decoding: line.bytes, as: UTF8.self) == text + text)
    }

    /// The system's clock is asked now and then, and what is made of the loop's clock meanwhile agrees with it.
    @Test func momentsOfTheLoopAreMomentsOfTheDay() {
        var second = LogSecond()
        let started = NIODeadline.now()
        for age in [Int64(0), 1, 40, 60, 5_000] {
            let before = LogClock.now() - (NIODeadline.now() - started).nanoseconds
            let told = second.unixTime(of: started, now: started + .milliseconds(age))
            let after = LogClock.now() - (NIODeadline.now() - started).nanoseconds
            // Both clocks are read one after the other, and a busy machine may take its time between them.
            #expect(abs(told - before) < 1_000_000_000 && abs(told - after) < 1_000_000_000)
        }
    }

    @Test func wordsAreWrittenByTheirLength() {
        let buffer = LogBuffer(path: "", capacity: 64)
        for _ in 0..<40 { for length in 0...8 { buffer.append(word: 0x3837_3635_3433_3231, length: length) } }
        let one = (0...8).map { String("12345678".prefix($0)) }.joined()
        #expect(String(decoding: buffer.bytes, as: UTF8.self) == String(repeating: one, count: 40))
    }

    @Test func aBufferGrowsAndIsUsedAgain() {
        let buffer = LogBuffer(path: "", capacity: 64)
        for round in 1...2 {
            for _ in 0..<100 {
                buffer.append(decimal: Int.min)
                buffer.append(decimal: 7, digits: 3)
                buffer.append("-" as StaticString)
                buffer.append("text of a string that is not small")
                buffer.append(byte: 10)
            }
            let expected = String(repeating: "\(Int.min)007-text of a string that is not small\n", count: 100)
            #expect(String(decoding: buffer.bytes, as: UTF8.self) == expected, "round \(round)")
            buffer.removeAll()
        }
    }
}
