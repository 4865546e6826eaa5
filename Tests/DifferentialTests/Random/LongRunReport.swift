import Foundation

/// What a run of generated cases covered and found; `dev/differential` commits it.
struct LongRunReport {
    let text: String

    /// Fields of the configuration whose use is counted.
    private static let features = [
        "path:", "prefix:", "path_separated_prefix:", "safe_regex:", "path_match_policy:", "case_sensitive:",
        "headers:",
        "range_match:", "present_match:", "invert_match:", "treat_missing_header_as_empty:", "query_parameters:",
        "grpc:", "runtime_fraction:", "weighted_clusters:", "cluster_header:", "hash_policy:", "prefix_rewrite:",
        "regex_rewrite:", "host_rewrite_literal:", "host_rewrite_header:", "host_rewrite_path_regex:",
        "append_x_forwarded_host:", "redirect:", "direct_response:", "request_headers_to_add:",
        "response_headers_to_add:", "request_headers_to_remove:", "response_headers_to_remove:", "retry_policy:",
        "timeout:", "request_mirror_policies:", "filters.http.cors:", "filters.http.fault:", "filters.http.rbac:",
    ]

    init(_ run: DifferentialRun) {
        let cases = run.observations.filter { $0.key.hasPrefix(RandomCases.prefix) }
        let all = cases.values.joined()
        var lines = [
            "# Generated cases, both proxies", "",
            "Written by `dev/differential \(RandomCases.count) \(RandomCases.seed)`: the same route tables and the same bytes to "
                + "Envoy 1.40 and to weft-proxy; compared are status, headers, body and trailers of each response, every "
                + "request that upstreams saw (retries and mirrors among them), and 16 fields of the access log.", "",
            "| | |", "| --- | --- |", "| seed | \(RandomCases.seed) |", "| route tables | \(cases.count) |",
            "| requests | \(all.count) |",
            "| requests that upstreams saw | \(Self.sum(all, "upstream.count")) |",
            "| fields compared | \(all.reduce(0) { $0 + $1.fields.count }) |",
        ]
        let results = run.differences.filter { $0.key.hasPrefix(RandomCases.prefix) }
            .flatMap { name, requests in
                requests.indices.map { ("\(name), request \($0)", run.generatedResult(name, $0)) }
            }
        let different = results.map { ($0.0, $0.1.unexplained) }.filter { !$0.1.isEmpty }.sorted { $0.0 < $1.0 }
        for rule in ExplainedDifference.all {
            let count = results.count { $0.1.explained.contains(rule.name) }
            lines.append("| requests with the meant difference `\(rule.name)` | \(count) |")
        }
        lines.append("| requests with an unexplained difference | \(different.count) |")
        lines += ["", "## Meant differences", ""] + ExplainedDifference.all.map { "- `\($0.name)`: \($0.reason)." }
        lines += ["", "## Answers", "", "| status | requests |", "| --- | --- |"]
        lines += Self.counted(all.map { $0.fields["response.status"] ?? "none" })
        lines += ["", "## Tables by what they use", "", "| field | tables |", "| --- | --- |"]
        let texts = run.configurations.filter { $0.key.hasPrefix(RandomCases.prefix) }.values
        lines += Self.features.map { feature in "| `\(feature.dropLast())` | \(texts.count { $0.contains(feature) }) |"
        }
        lines += ["", "## Differences", ""]
        lines +=
            different.isEmpty
            ? ["None."] : different.map { "- \($0.0): \($0.1.map(\.description).joined(separator: "; "))" }
        text = lines.joined(separator: "\n") + "\n"
    }

    private static func sum(_ all: some Sequence<Observation>, _ field: String) -> Int {
        all.reduce(0) { $0 + (Int($1.fields[field] ?? "") ?? 0) }
    }

    private static func counted(_ values: [String]) -> [String] {
        Dictionary(values.map { ($0, 1) }, uniquingKeysWith: +).sorted { $0.key < $1.key }
            .map { "| \($0.key) | \($0.value) |" }
    }
}
