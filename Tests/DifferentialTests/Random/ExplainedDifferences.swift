/// A difference of generated cases that is meant: as narrow as it can be said, with the reason.
///
/// Hand-written cases have a line of `known-differences.txt` each; what chance makes needs a rule instead.
struct ExplainedDifference: Sendable {
    let name: String
    let reason: String
    /// - Parameters: what differs, what Envoy did with the request, and the route table.
    let covers: @Sendable (Difference, Observation, String) -> Bool

    static let all = [
        ExplainedDifference(
            name: "status-on-own-reply",
            reason:
                "%RESPONSE_CODE% in what is added to an own reply is the status of the reply; Envoy says 0, as it fills "
                + "in the headers before it knows the status"
        ) { difference, envoy, table in
            guard difference.field.hasPrefix("response.header."), table.contains("%RESPONSE_CODE%"),
                envoy.fields["log.details"] != "via_upstream", difference.envoy.contains("[0]"),
                let status = envoy.fields["log.status"]
            else { return false }
            // To gRPC the status on the wire is 200, whatever the reply's own is.
            let isGRPC = envoy.fields["response.header.grpc-status"] != nil
            let own = isGRPC ? difference.weft.firstMatch(of: /\[([1-5]\d\d)\]/).map { String($0.1) } : status
            guard let own else { return false }
            let pairs = (Self.values(difference.envoy), Self.values(difference.weft))
            // Another of the values may be a 0 that the client sent.
            return pairs.0.count == pairs.1.count
                && zip(pairs.0, pairs.1).allSatisfy { $0 == $1 || ($0 == "0" && $1 == own) }
        },
        ExplainedDifference(
            name: "length-of-204",
            reason:
                "a 204 has no content-length (RFC 9110, 8.6), even where the direct response has a body configured; Envoy "
                + "states the length of the body that it does not send"
        ) { difference, envoy, _ in
            difference.field == "response.header.content-length" && difference.weft == "(none)"
                && envoy.fields["response.status"] == "204" && envoy.fields["response.body"] == ""
        },
    ]

    /// The values of a header as an observation writes them: `[one][two]`.
    private static func values(_ written: String) -> [String] {
        written.dropFirst().dropLast().split(separator: "][", omittingEmptySubsequences: false).map(String.init)
    }

    /// The rule that explains a difference of a generated case.
    static func rule(for difference: Difference, _ envoy: Observation, table: String) -> ExplainedDifference? {
        all.first { $0.covers(difference, envoy, table) }
    }
}

extension DifferentialRun {
    /// What one request of a generated case shows, without what a rule explains.
    struct GeneratedResult {
        var unexplained: [Difference] = []
        /// Names of rules.
        var explained: Set<String> = []
    }

    func generatedResult(_ name: String, _ index: Int) -> GeneratedResult {
        var result = GeneratedResult()
        for difference in differences[name]?[index] ?? [] {
            let envoy = observations[name]?[index] ?? Observation()
            if let rule = ExplainedDifference.rule(for: difference, envoy, table: configurations[name] ?? "") {
                result.explained.insert(rule.name)
            } else {
                result.unexplained.append(difference)
            }
        }
        return result
    }
}
