import Foundation
import TestSupport

/// One of the compared servers: its process, its ports, its own upstream.
final class HostileServer: Sendable {
    enum Kind: String, CaseIterable, Sendable { case weft = "Weft", envoy = "Envoy", nginx, haproxy = "HAProxy" }
    let kind: Kind
    let ports: [HostileCase.Port: UInt16]
    let record = UpstreamRecord()
    let upstream: RecordingUpstream
    let process: ServerProcess

    /// - Returns: `nil` when this machine has no such server.
    static func executable(_ kind: Kind) -> String? {
        let candidates =
            switch kind {
            case .weft: [Workspace.weftProxy]
            case .envoy: [Workspace.envoy]
            case .nginx: ["/usr/sbin/nginx"]
            case .haproxy: ["/usr/sbin/haproxy"]
            }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// - Parameter deaf: the port of an upstream that never reads, for paths below `/deaf`.
    init(_ kind: Kind, executable: String, folder: String, deaf: UInt16? = nil) throws {
        self.kind = kind
        upstream = try RecordingUpstream(name: "up", record: record)
        let free = try RawListener.freePorts(4)
        ports = [.http: free[0], .proxyProtocol: free[1], .tls: free[2]]
        let settings = ServerSettings(ports: free, upstream: upstream.port, deaf: deaf ?? upstream.port, folder: folder)
        let file = "\(folder)/\(kind.rawValue).conf"
        let log = "\(folder)/\(kind.rawValue).log"
        let text: String
        let arguments: [String]
        switch kind {
        case .weft, .envoy:
            text = settings.envoy
            arguments =
                ["-c", "\(file).yaml", "--concurrency", "1", "-l", "error"]
                + (kind == .envoy ? ["--use-dynamic-base-id"] : [])
            try text.write(toFile: "\(file).yaml", atomically: true, encoding: .utf8)
        case .nginx:
            text = settings.nginx
            arguments = ["-c", file, "-e", log, "-p", folder]
        case .haproxy:
            text = settings.haproxy
            arguments = ["-db", "-q", "-f", file]
        }
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        process = try ServerProcess(kind.rawValue, executable, arguments, log: log)
    }

    func waitUntilReady() async throws {
        for port in ports.values { try await process.waitForPort(port) }
    }

    func stop() {
        process.stop()
        upstream.close()
    }
}

/// Equivalent settings: forward everything to one upstream, refuse `/admin`, believe no client.
struct ServerSettings {
    var ports: [UInt16]
    var upstream: UInt16
    var deaf: UInt16
    var folder: String

    var envoy: String {
        let type = "type.googleapis.com/envoy.extensions"
        func manager(_ name: String) -> String {
            """
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": \(type).filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: \(name)
                use_remote_address: true
                normalize_path: true
                merge_slashes: true
                path_with_escaped_slashes_action: REJECT_REQUEST
                forward_client_cert_details: SANITIZE
                strip_any_host_port: true
                http2_protocol_options: {max_concurrent_streams: 100}
                http_filters:
                - name: envoy.filters.http.rbac
                  typed_config:
                    "@type": \(type).filters.http.rbac.v3.RBAC
                    rules:
                      action: DENY
                      policies:
                        no-admin:
                          permissions: [{url_path: {path: {prefix: /admin}}}]
                          principals: [{any: true}]
                        no-role:
                          permissions: [{header: {name: x-role, string_match: {contains: banned}}}]
                          principals: [{any: true}]
                - name: envoy.filters.http.router
                  typed_config: {"@type": \(type).filters.http.router.v3.Router}
                route_config:
                  virtual_hosts:
                  - {name: secret, domains: [secret.test], routes: [{match: {prefix: /}, direct_response: {status: 403}}]}
                  - {name: all, domains: ["*"], routes: [{match: {prefix: /deaf}, route: {cluster: deaf}}, {match: {prefix: /h2up}, route: {cluster: up2}}, {match: {prefix: /}, route: {cluster: up}}]}
            """
        }
        func listener(_ name: String, _ port: UInt16, _ more: String) -> String {
            """
            - name: \(name)
              address: {socket_address: {address: 127.0.0.1, port_value: \(port)}}
            \(indented(more, 2))
              filter_chains:
              - filters:
            \(indented(manager(name), 4))
            """
        }
        // Passed through by server name: what is no hello for that name has no chain.
        func tlsListener(_ inspector: String) -> String {
            """
            - name: tls
              address: {socket_address: {address: 127.0.0.1, port_value: \(ports[2])}}
            \(indented(inspector, 2))
              filter_chains:
              - filter_chain_match: {server_names: [a.test]}
                filters:
                - name: envoy.filters.network.tcp_proxy
                  typed_config:
                    "@type": \(type).filters.network.tcp_proxy.v3.TcpProxy
                    stat_prefix: tls
                    cluster: up
            """
        }
        let proxyFilter = """
            listener_filters:
            - name: envoy.filters.listener.proxy_protocol
              typed_config: {"@type": \(type).filters.listener.proxy_protocol.v3.ProxyProtocol}
            """
        let inspector = """
            listener_filters:
            - name: envoy.filters.listener.tls_inspector
              typed_config: {"@type": \(type).filters.listener.tls_inspector.v3.TlsInspector}
            """
        let listeners = [
            listener("http", ports[0], ""), listener("proxy", ports[1], proxyFilter),
            tlsListener(inspector),
        ]
        return """
            admin: {address: {socket_address: {address: 127.0.0.1, port_value: \(ports[3])}}}
            static_resources:
              listeners:
            \(indented(listeners.joined(separator: "\n"), 2))
              clusters:
            \(indented(cluster("up", upstream) + cluster("deaf", deaf) + cluster("up2", upstream, http2), 2))

            """
    }

    private var http2: String {
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        return "typed_extension_protocol_options: {\(options): {\"@type\": type.googleapis.com/\(options), "
            + "explicit_http_config: {http2_protocol_options: {}}}}"
    }

    private func cluster(_ name: String, _ port: UInt16, _ more: String = "") -> String {
        """
        - name: \(name)
          type: STATIC
          \(more)
          load_assignment:
            cluster_name: \(name)
            endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: \(port)}}}}]}]

        """
    }

    var nginx: String {
        """
        daemon off; master_process off; pid \(folder)/nginx.pid;
        events {}
        http {
          access_log off; client_body_temp_path \(folder)/b; proxy_temp_path \(folder)/p;
          fastcgi_temp_path \(folder)/f; uwsgi_temp_path \(folder)/u; scgi_temp_path \(folder)/s;
          upstream up { server 127.0.0.1:\(upstream); keepalive 8; }
          server {
            listen 127.0.0.1:\(ports[0]); listen 127.0.0.1:\(ports[1]) proxy_protocol;
            listen 127.0.0.1:\(ports[2]) ssl;
            ssl_certificate \(folder)/cert.pem; ssl_certificate_key \(folder)/key.pem;
            location /admin { return 403; }
            location / {
              proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
            }
          }
        }
        """
    }

    var haproxy: String {
        """
        defaults
          mode http
          timeout connect 5s
          timeout client 30s
          timeout server 30s
        frontend f
          bind 127.0.0.1:\(ports[0])
          bind 127.0.0.1:\(ports[1]) accept-proxy
          bind 127.0.0.1:\(ports[2]) ssl crt \(folder)/both.pem alpn h2,http/1.1
          http-request deny deny_status 403 if { path_beg /admin }
          default_backend b
        backend b
          server s 127.0.0.1:\(upstream)

        """
    }

    private func indented(_ text: String, _ count: Int) -> String {
        text.split(separator: "\n").map { String(repeating: " ", count: count) + $0 }.joined(separator: "\n")
    }
}
