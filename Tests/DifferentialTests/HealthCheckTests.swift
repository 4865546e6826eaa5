import Foundation
import Synchronization
import TestSupport
import Testing

/// What active health checks send, what their TLS offers, and what their event logs say: the same from both proxies.
@Suite(.serialized) struct HealthCheckTests {
    /// A TLS server that takes one protocol alone, and answers every request with 200.
    private final class PickyServer: Sendable {
        private let listener: RawListener
        private let offers = Mutex<[String]>([])
        var port: UInt16 { listener.port }
        /// What was agreed on, by connection.
        var agreed: [String] { offers.withLock { $0 } }

        init(protocol name: String, certificates folder: String) throws {
            listener = try RawListener()
            let context = try DifferentialCertificates.server(
                folder: folder, demandsCertificate: false, protocols: [name])
            let listener = listener
            let thread = Thread { [weak self] in
                while let socket = listener.accept() {
                    guard let stream = try? TLSStream(server: socket, context), stream.isEstablished else {
                        socket.close()
                        continue
                    }
                    self?.offers.withLock { $0.append(stream.negotiatedProtocol ?? "-") }
                    if case .bytes = stream.receive(within: 5_000) {
                        stream.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    }
                    stream.close()
                }
            }
            thread.start()
        }

        func stop() { listener.close() }
    }

    private func cluster(_ name: String, _ port: UInt16, _ check: String, _ more: String = "") -> String {
        """
          - name: \(name)
            type: STATIC
            connect_timeout: 1s
        \(indent(more, 4))
            load_assignment:
              cluster_name: \(name)
              endpoints:
              - locality: {region: r, zone: z}
                lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: \(port)}}}}]
            health_checks:
            - {timeout: 1s, interval: 0.1s, no_traffic_interval: 0.1s, unhealthy_threshold: 1, healthy_threshold: 1,
               \(check)}

        """
    }

    private func start(_ kind: ProxyUnderTest.Kind, _ text: String, _ folder: String) throws -> ServerProcess {
        let file = "\(folder)/\(kind.rawValue).yaml"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        var arguments = ["-c", file, "--concurrency", "1", "-l", "warning", "--use-dynamic-base-id"]
        if kind == .envoy { arguments += ["--file-flush-interval-msec", "20"] }
        let executable = kind == .envoy ? Workspace.envoy : Workspace.weftProxy
        return try ServerProcess(kind.rawValue, executable, arguments, log: "\(folder)/\(kind.rawValue).log")
    }

    /// The first lines of each kind of event of each cluster, without their times and ports.
    private func events(_ path: String) -> Set<String> {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return Set(
            text.split(separator: "\n").compactMap { line in
                guard var object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
                    object.removeValue(forKey: "timestamp") is String
                else { return "unreadable: \(line)" }
                let sorted = try? JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
                return sorted.map { String(decoding: $0, as: UTF8.self) }
            })
    }

    /// Each answer as an event: good ones, ones with another status, answers that are late, and none.
    @Test(.timeLimit(.minutes(2))) func eventLogs() async throws {
        let folder = try Workspace.folder("check-events")
        let upstream = try RecordingUpstream(name: "a", record: UpstreamRecord())
        defer { upstream.close() }
        let dead = try RawListener.freePorts(1)[0]
        var seen: [Set<String>] = []
        for kind in [ProxyUnderTest.Kind.envoy, .weft] {
            let log = "\(folder)/\(kind.rawValue)-events"
            let sink =
                "event_logger: [{name: f, typed_config: {\"@type\": type.googleapis.com/envoy.extensions."
                + "health_check.event_sinks.file.v3.HealthCheckEventFileSink, event_log_path: \(log)}}]"
            func http(_ script: String) -> String {
                "\(sink), always_log_health_check_failures: true, always_log_health_check_success: true, "
                    + "http_health_check: {path: /, request_headers_to_add: [{header: {key: x-do, value: "
                    + "\"\(script)\"}}, {header: {key: x-id, value: \(kind.rawValue)-\(script.hashValue)}}]}"
            }
            let clusters = [
                cluster("good", upstream.port, http("status=200")),
                cluster("turning", upstream.port, http("status=200|status=200|status=503|status=503|status=200")),
                cluster("wrong", upstream.port, http("status=404")),
                cluster("degraded", upstream.port, http("status=200|header=x-envoy-degraded:1|status=200")),
                cluster("cut", upstream.port, http("reset")), cluster("dead", dead, http("")),
                cluster("late", upstream.port, http("delay=3000")),
                cluster("tcp", dead, "event_log_path: \(log), tcp_health_check: {}"),
                cluster("open", upstream.port, "\(sink), tcp_health_check: {}"),
            ]
            let process = try start(
                kind, "static_resources:\n  clusters:\n" + clusters.joined(), folder)
            defer { process.stop() }
            // What both must have written in the end.
            let wanted = [
                "\"late\"", "NETWORK_TIMEOUT", "no_longer_degraded_host", "eject_unhealthy_event", "\"TCP\"",
                "\"cluster_name\":\"cut\"", "\"cluster_name\":\"open\"", "\"cluster_name\":\"dead\"",
            ]
            try await eventually("\(kind): all events") {
                let all = events(log)
                let later = all.filter { $0.contains("late") && $0.contains("\"first_check\":false") }
                return wanted.allSatisfy { word in all.contains { $0.contains(word) } } && !later.isEmpty ? true : nil
            }
            seen.append(events(log))
        }
        #expect(seen[0] == seen[1])
        #expect(seen[0].count > 14)
    }

    /// `tls_options` offers its protocols in place of the cluster's; `transport_socket_match_criteria` chooses the
    /// transport socket in place of the endpoint's metadata.
    @Test(.timeLimit(.minutes(2)), arguments: [ProxyUnderTest.Kind.envoy, .weft])
    func transportSockets(_ kind: ProxyUnderTest.Kind) async throws {
        let folder = try Workspace.folder("check-tls-\(kind.rawValue)")
        try await DifferentialCertificates.make(in: folder)
        let picky = try PickyServer(protocol: "check", certificates: folder)
        let chosen = try PickyServer(protocol: "other", certificates: folder)
        defer {
            picky.stop()
            chosen.stop()
        }
        let tls =
            "{name: envoy.transport_sockets.tls, typed_config: {\"@type\": "
            + "\(Bootstrap.type("transport_sockets.tls.v3.UpstreamTlsContext")), common_tls_context: {}}}"
        let plain =
            "{name: plain, transport_socket: {name: envoy.transport_sockets.raw_buffer, typed_config: {\"@type\": "
            + "\(Bootstrap.type("transport_sockets.raw_buffer.v3.RawBuffer"))}}, match: {}}"
        let clusters = [
            cluster(
                "options", picky.port, "http_health_check: {path: /}, tls_options: {alpn_protocols: [x, check]}",
                "transport_socket: \(tls)"),
            cluster(
                "criteria", chosen.port,
                "http_health_check: {path: /}, tls_options: {alpn_protocols: [other]}, "
                    + "transport_socket_match_criteria: {secure: \"yes\"}",
                "transport_socket_matches: [{name: tls, match: {secure: \"yes\"}, transport_socket: \(tls)}, \(plain)]"),
        ]
        let process = try start(kind, "static_resources:\n  clusters:\n" + clusters.joined(), folder)
        defer { process.stop() }
        try await eventually("checks over TLS") {
            picky.agreed.contains("check") && chosen.agreed.contains("other") ? true : nil
        }
        #expect(Set(picky.agreed) == ["check"])
        #expect(Set(chosen.agreed) == ["other"])
    }
}
