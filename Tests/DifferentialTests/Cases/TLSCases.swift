/// TLS from clients and towards upstreams.
extension HandWritten {
    private static let server = """
        common_tls_context:
          tls_certificates: [{certificate_chain: {filename: {certs}/server.pem}, private_key: {filename: {certs}/server.key}}]
        """
    private static func mutual(_ more: String = "", demands: Bool = true) -> String {
        """
        require_client_certificate: \(demands)
        \(server)
          validation_context: {trusted_ca: {filename: {certs}/ca.pem}\(more)}
        """
    }
    private static let client = TLSClient(certificate: "client")
    private static let stranger = TLSClient(certificate: "stranger")

    /// A log of what the client's certificate says.
    private static var peerLog: String {
        let names = [
            "URI_SAN", "DNS_SAN", "IP_SAN", "EMAIL_SAN", "SUBJECT", "ISSUER", "SERIAL", "CERT", "FINGERPRINT_256",
            "FINGERPRINT_1", "CERT_V_START", "CERT_V_END", "CERT_V_END(%Y-%m)",
        ]
        let fields = names.enumerated().map { "p\($0.offset): \"%DOWNSTREAM_PEER_\($0.element)%\"" }.joined(
            separator: ", ")
        return "{name: more, typed_config: {\"@type\": \(Bootstrap.type("access_loggers.file.v3.FileAccessLog")), "
            + "path: {logpath}, log_format: {json_format: {id: \"%REQ(X-ID)%\", \(fields), "
            + "own: \"%DOWNSTREAM_LOCAL_URI_SAN%\", version: \"%DOWNSTREAM_TLS_VERSION%\", "
            + "cipher: \"%DOWNSTREAM_TLS_CIPHER%\"}}}}"
    }

    /// A log of what TLS towards the upstream has agreed on.
    static let upstreamLog: DifferentialCase = {
        let names = [
            "TLS_VERSION", "TLS_CIPHER", "PEER_SUBJECT", "PEER_ISSUER", "PEER_URI_SAN", "PEER_DNS_SAN", "PEER_IP_SAN",
            "PEER_CERT", "PEER_CERT_V_START", "PEER_CERT_V_END",
        ]
        let hosts = ["tls-san", "tls-h2", "mtls", "a", "tls-wrong"]
        return DifferentialCase(
            "upstream-tls-log",
            "routes: ["
                + hosts.map { "{match: {path_separated_prefix: /\($0)}, route: {cluster: \($0)}}" }.joined(
                    separator: ", ")
                + "]",
            requests: hosts.map { get("/\($0)") } + [get("/tls-san")]
        ).logging(HandWritten.log(HandWritten.fields(names.map { "%UPSTREAM_\($0)%" })))
    }()

    /// TLS that a listener ends.
    static let downstreamTLS: [DifferentialCase] = [
        DifferentialCase(
            "tls-server", get("/").over(.plain), get("/").over(TLSClient(serverName: nil)),
            get("/").over(TLSClient(serverName: "elsewhere.test")), get("/").over(TLSClient(version: 2)),
            get("/").over(TLSClient(version: 3)), post("/", String(repeating: "p", count: 100_000)).over(.plain),
            get("/", "x-do: size=200000").over(.plain), get("/").over(TLSClient(protocols: ["http/1.1"])),
            get("/", "connection: close").over(.plain).closing(), get("/", "x-forwarded-proto: http").over(.plain)
        ).securely(server),
        DifferentialCase("tls-plain-client", raw("GET / HTTP/1.1\nhost: x\n\n", responses: 0, untilClosed: true))
            .securely(server),
        DifferentialCase(
            "tls-alpn", get("/").over(TLSClient(protocols: ["h2", "http/1.1"])).http2(),
            get("/").over(TLSClient(protocols: ["http/1.1"])),
            get("/").over(TLSClient(protocols: ["http/1.1", "h2"])).http2(),
            get("/").over(TLSClient(protocols: ["h3"])), get("/").over(.plain), get("/").over(.plain).http2(),
            post("/", "body").over(TLSClient(protocols: ["h2"])).http2()
        ).securely(server + "\n  alpn_protocols: [h2, http/1.1]"),
        DifferentialCase(
            "tls-versions", get("/").over(TLSClient(version: 2)), get("/").over(TLSClient(version: 3))
        ).securely(
            server + "\n  tls_params: {tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3}"),
        DifferentialCase(
            "tls-version-old", get("/").over(TLSClient(version: 2)), get("/").over(TLSClient(version: 3))
        ).securely(
            server + "\n  tls_params: {tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_2}"),
        DifferentialCase(
            "mtls-required", get("/").over(client), get("/").over(.plain), get("/").over(stranger),
            get("/").over(TLSClient(certificate: "client", version: 2)), get("/").over(TLSClient(version: 2)),
            get("/").over(TLSClient(certificate: "stranger", version: 2))
        ).securely(mutual()),
        DifferentialCase(
            "mtls-optional", get("/").over(client), get("/").over(.plain), get("/").over(stranger)
        ).securely(mutual(demands: false)),
        DifferentialCase("log-peer", get("/").over(client), get("/").over(.plain)).securely(mutual(demands: false))
            .logging(peerLog),
        DifferentialCase("mtls-uri", get("/").over(client)).securely(
            mutual(", match_typed_subject_alt_names: [{san_type: URI, matcher: {prefix: \"spiffe://td/\"}}]")),
        DifferentialCase("mtls-uri-wrong", get("/").over(client)).securely(
            mutual(", match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: \"spiffe://td/other\"}}]")),
        DifferentialCase("mtls-dns", get("/").over(client)).securely(
            mutual(", match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: client.test}}]")),
        DifferentialCase("mtls-suffix", get("/").over(client)).securely(
            mutual(", match_typed_subject_alt_names: [{san_type: URI, matcher: {suffix: /client}}]")),
        DifferentialCase("mtls-regex", get("/").over(client)).securely(
            mutual(
                ", match_typed_subject_alt_names: [{san_type: URI, matcher: {safe_regex: {regex: \"spiffe://td/.*\"}}}]"
            )),
        xfcc("xfcc-sanitize", "SANITIZE"), xfcc("xfcc-sanitize-set", "SANITIZE_SET"),
        xfcc("xfcc-forward", "FORWARD_ONLY"), xfcc("xfcc-append", "APPEND_FORWARD"),
        xfcc("xfcc-always", "ALWAYS_FORWARD_ONLY"),
        DifferentialCase(
            "xfcc-subject",
            manager:
                "forward_client_cert_details: SANITIZE_SET\nset_current_client_cert_details: {subject: true, dns: true}",
            get("/").over(client)
        ).securely(mutual()),
        DifferentialCase("tls-redirect", "require_tls: ALL\n" + DifferentialCase.toA, get("/").over(.plain)).securely(
            server),
        DifferentialCase(
            "tls-route-match",
            routes(
                "match: {prefix: /, tls_context: {presented: true}}, route: {cluster: b}",
                "match: {prefix: /}, route: {cluster: a}"),
            manager: "use_remote_address: true", get("/").over(client), get("/").over(.plain)
        ).securely(mutual(demands: false)),
        rbacPrincipal,
    ]

    private static func xfcc(_ name: String, _ mode: String) -> DifferentialCase {
        DifferentialCase(
            name,
            manager: "forward_client_cert_details: \(mode)\nset_current_client_cert_details: {uri: true}",
            get("/").over(client), get("/", "x-forwarded-client-cert: By=spiffe://x;Hash=00").over(client),
            get("/", "x-forwarded-client-cert: By=spiffe://x;Hash=00").over(.plain), get("/").over(.plain)
        ).securely(mutual(demands: false))
    }

    private static let rbacPrincipal = DifferentialCase(
        "rbac-principal",
        filters: """
            - name: envoy.filters.http.rbac
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
                rules:
                  policies:
                    p:
                      permissions: [{any: true}]
                      principals: [{authenticated: {principal_name: {exact: "spiffe://td/ns/x/sa/client"}}}]
            """, get("/").over(client), get("/").over(.plain)
    ).securely(mutual(demands: false))

    private static func upstream(_ cluster: String, _ requests: Sending...) -> DifferentialCase {
        DifferentialCase(
            "upstream-" + cluster, routes("match: {prefix: /}, route: {cluster: \(cluster)}"),
            requests: requests.isEmpty ? [get("/"), post("/", "body"), get("/", "x-do: size=100000")] : requests)
    }

    /// TLS that the proxy begins.
    static let upstreamTLS: [DifferentialCase] = [
        upstream("tls"), upstream("tls-h2"), upstream("tls-auto"), upstream("tls-san"), upstream("tls-dns"),
        upstream("mtls"), upstream("tls-wrong", get("/")), upstream("tls-untrusted", get("/")),
        upstream("mtls-missing", get("/")), upstream("plain-to-tls", get("/")), upstream("tls-to-plain", get("/")),
    ]

    private static let inspector = """
        listener_filters:
        - name: envoy.filters.listener.tls_inspector
          typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}
        """

    /// A filter chain that answers with its own name.
    private static func answering(_ name: String, _ match: String, certificate: String?) -> String {
        let manager = Bootstrap.manager(
            name,
            hosts: "- {name: v, domains: [\"*\"], routes: [{match: {prefix: /}, direct_response: "
                + "{status: 200, body: {inline_string: \(name)}}}]}")
        let tls = certificate.map {
            Bootstrap.downstreamTLS(
                server.replacing("server.pem", with: "\($0).pem").replacing("server.key", with: "\($0).key"))
        }
        return "- name: \(name)\n  filter_chain_match: {\(match)}\n  filters:\n" + indent(manager, 2) + "\n"
            + indent(tls ?? "", 2)
    }

    /// Which filter chain a connection takes.
    static let chains: [DifferentialCase] = [
        DifferentialCase(
            "sni-chains", "", listener: inspector,
            chain: [
                answering("exact", "server_names: [a.test]", certificate: "server"),
                answering("wild", "server_names: [\"*.wild.test\"]", certificate: "wild"),
                answering("deep", "server_names: [\"*.deep.wild.test\"]", certificate: "wild"),
                answering("plain", "transport_protocol: raw_buffer", certificate: nil),
            ].joined(separator: "\n"),
            requests: [
                "a.test", "A.Test", "x.wild.test", "x.deep.wild.test", "wild.test", "y.x.wild.test", "none.test",
            ]
            .map { get("/").over(TLSClient(serverName: $0)) } + [get("/").over(TLSClient(serverName: nil)), get("/")]),
        DifferentialCase(
            "alpn-chains", "", listener: inspector,
            chain: [
                answering("two", "application_protocols: [h2]", certificate: "server"),
                answering("one", "application_protocols: [http/1.1]", certificate: "server"),
                answering("mesh", "application_protocols: [istio], transport_protocol: tls", certificate: "wild"),
            ].joined(separator: "\n"),
            get("/").over(TLSClient(protocols: ["h2"])), get("/").over(TLSClient(protocols: ["http/1.1"])),
            get("/").over(TLSClient(protocols: ["istio", "h2"])), get("/").over(TLSClient(protocols: ["other"])),
            get("/").over(.plain)),
        DifferentialCase(
            "sni-passthrough", "", listener: inspector,
            chain: "- filter_chain_match: {server_names: [a.test]}\n  filters:\n"
                + indent(tcpProxyFilter("cluster: plain-to-tls"), 2)
                + "\n- filter_chain_match: {server_names: [b.test]}\n  filters:\n"
                + indent(tcpProxyFilter("cluster: dead"), 2),
            get("/").over(.plain), get("/").over(TLSClient(protocols: ["h2"])).http2(),
            get("/").over(TLSClient(serverName: "b.test")), get("/").over(TLSClient(serverName: "c.test")),
            get("/").over(TLSClient(version: 2))),
        DifferentialCase(
            "tls-tcp", "",
            chain: "- filters:\n" + indent(tcpProxyFilter("cluster: a"), 2) + "\n"
                + indent(Bootstrap.downstreamTLS(server), 2),
            get("/").over(.plain), get("/", "x-do: size=100000").over(.plain)),
        DifferentialCase(
            "tcp-to-tls", "", chain: "- filters:\n" + indent(tcpProxyFilter("cluster: tls"), 2), get("/"),
            get("/", "x-do: size=100000")),
    ]
}
