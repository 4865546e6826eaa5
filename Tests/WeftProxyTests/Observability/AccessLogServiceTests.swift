import SwiftProtobuf
import Testing
import WeftIR
import WeftProto
import WeftTransport

@testable import WeftProxy

/// Entries on a real access log service.
@Suite(.timeLimit(.minutes(2))) struct AccessLogServiceTests {
    private typealias Message = Envoy_Service_Accesslog_V3_StreamAccessLogsMessage

    /// Reads gRPC messages as they come.
    private func messages(_ server: CollectorServer, _ count: Int) async throws -> [Message] {
        var bytes: [UInt8] = []
        var found: [Message] = []
        for await part in server.received {
            #expect(part.path == "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs")
            bytes += part.body
            while bytes.count >= 5 {
                let length = bytes[1..<5].reduce(0) { $0 << 8 | Int($1) }
                guard bytes.count >= 5 + length else { break }
                found.append(try Message(serializedBytes: Array(bytes[5..<(5 + length)])))
                bytes.removeFirst(5 + length)
            }
            if found.count >= count { break }
        }
        return found
    }

    @Test func tellsOfRequests() async throws {
        let upstream = try await CollectorServer(.http1, body: "hello", headers: [("x-told", "t")])
        let collector = try await CollectorServer(.http2, whole: false)
        var service = AccessLogService(kind: .http, logName: "requests", cluster: "logs")
        service.bufferBytes = 0
        service.requestHeaders = ["X-Asked"]
        service.responseHeaders = ["x-told"]
        service.customTags = [CustomTag(tag: "t", source: .literal("v"))]
        let logs = [AccessLog(.service(service))]
        let proxy = try await ObservedProxy(
            ["up": (upstream.port, false), "logs": (collector.port, true)]
        ) { $0.accessLogs = logs }
        _ = try await proxy.get("/a", "x-asked: yes", "user-agent: ua")
        _ = try await proxy.get("/b")
        let found = try await messages(collector, 2)
        let first = try #require(found.first)
        #expect(first.identifier.logName == "requests" && first.identifier.node.id == "node-1")
        #expect(found.last?.hasIdentifier == false, "one stream, which says once who speaks")
        let entry = try #require(first.httpLogs.logEntry.first)
        #expect(entry.protocolVersion == .http11 && entry.request.requestMethod == .get)
        #expect(entry.request.path == "/a" && entry.request.authority == "shop" && entry.request.userAgent == "ua")
        #expect(entry.request.requestHeaders == ["x-asked": "yes"])
        #expect(entry.response.responseCode.value == 200 && entry.response.responseBodyBytes == 5)
        #expect(entry.response.responseHeaders == ["x-told": "t"])
        #expect(entry.response.responseCodeDetails == "via_upstream")
        let common = entry.commonProperties
        #expect(common.upstreamCluster == "up" && common.routeName == "only" && common.customTags == ["t": "v"])
        #expect(common.upstreamRemoteAddress.socketAddress.portValue == UInt32(upstream.port))
        #expect(common.hasTimeToFirstUpstreamRxByte && common.accessLogType == .downstreamEnd)
        #expect(found.last?.httpLogs.logEntry.first?.request.path == "/b")
        await proxy.stop()
        await upstream.stop()
        await collector.stop()
    }

    @Test func tellsOfFailures() async throws {
        let collector = try await CollectorServer(.http2, whole: false)
        var service = AccessLogService(kind: .http, logName: "failures", cluster: "logs")
        service.bufferBytes = 0
        var log = AccessLog(.service(service))
        log.filter = .responseFlags(["NC"])
        let logs = [log]
        let proxy = try await ObservedProxy(["logs": (collector.port, true)]) { $0.accessLogs = logs }
        _ = try await proxy.get("/")
        let entry = try #require(try await messages(collector, 1).first?.httpLogs.logEntry.first)
        #expect(entry.commonProperties.responseFlags.noClusterFound)
        #expect(entry.response.responseCode.value == 503)
        await proxy.stop()
        await collector.stop()
    }

    @Test func anAbsentServiceIsCounted() async throws {
        let upstream = try await CollectorServer(.http1)
        var service = AccessLogService(kind: .http, logName: "requests", cluster: "none")
        service.bufferBytes = 0
        let logs = [AccessLog(.service(service))]
        let proxy = try await ObservedProxy(["up": (upstream.port, false)]) { $0.accessLogs = logs }
        #expect(try await proxy.get("/").hasPrefix("HTTP/1.1 200 "))
        while proxy.plane.tracing.logEntriesDropped.count == 0 { try await Task.sleep(for: .milliseconds(10)) }
        await proxy.stop()
        await upstream.stop()
    }
}
