/// Network filters that let connections in by rate.
extension HandWritten {
    private static func gated(_ name: String, _ message: String, _ fields: String) -> String {
        "- filters:\n  - name: envoy.filters.network.\(name)\n    typed_config:\n"
            + "      \"@type\": \(Bootstrap.type("filters.network.\(message)"))\n      stat_prefix: gate\n"
            + indent(fields, 6) + "\n" + indent(tcpProxyFilter("cluster: a"), 2)
    }

    private static func quota(_ name: String, _ told: String, _ fields: String, refuses: Bool) -> DifferentialCase {
        let request = raw(
            "GET / HTTP/1.1\nhost: x\nx-id: {id}\n\n", responses: refuses ? 0 : 1, untilClosed: refuses)
        return DifferentialCase(
            name, "",
            chain: gated(
                "ratelimit", "ratelimit.v3.RateLimit",
                "domain: connections\ndescriptors: [{entries: [{key: do, value: \"\(told)\"}]}]\n\(fields)\n"
                    + "rate_limit_service: {transport_api_version: V3, grpc_service: {envoy_grpc: {cluster_name: services}}}"
            ),
            request)
    }

    static let gates: [DifferentialCase] = [
        DifferentialCase(
            "tcp-local-limit", "",
            chain: gated(
                "local_ratelimit", "local_ratelimit.v3.LocalRateLimit",
                "token_bucket: {max_tokens: 2, fill_interval: 3600s}"),
            raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\n\n"), raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\n\n"),
            raw("GET / HTTP/1.1\nhost: x\nx-id: {id}\n\n", responses: 0, untilClosed: true)),
        quota("tcp-quota", "see", "timeout: 1s", refuses: false),
        quota("tcp-quota-over", "over", "timeout: 1s", refuses: true),
        quota("tcp-quota-error", "fail", "timeout: 1s", refuses: false),
        quota("tcp-quota-denied", "fail", "timeout: 1s\nfailure_mode_deny: true", refuses: true),
        quota("tcp-quota-late", "sleep=2", "timeout: 0.2s\nfailure_mode_deny: true", refuses: true),
    ]
}
