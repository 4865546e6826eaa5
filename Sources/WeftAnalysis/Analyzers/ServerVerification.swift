import WeftConfig
package import WeftCore

/// IST0128, IST0129: a DestinationRule that originates TLS names no authorities, for a host or for one of its ports.
///
/// Istio warns, as servers once went unchecked then. Here such servers are checked against the system's authorities, so
/// this is information: a server with a certificate of a private authority will be refused.
package struct ServerVerificationAnalyzer: Analyzer {
    package let name = "destinationrule.CaCertificateAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("DestinationRule").flatMap { rule -> [Diagnostic] in
            let policy = rule.json[path: "spec", "trafficPolicy"]
            let whole = finding(rule, policy?["tls"], port: nil, path: "spec.trafficPolicy.tls")
            let ports = (policy?["portLevelSettings"]?.arrayValue ?? []).enumerated().compactMap { index, settings in
                finding(
                    rule, settings["tls"], port: settings[path: "port", "number"]?.intValue ?? 0,
                    path: "spec.trafficPolicy.portLevelSettings[\(index)].tls")
            }
            return (whole.map { [$0] } ?? []) + ports
        }
    }

    private func finding(_ rule: KubernetesObject, _ tls: JSONValue?, port: Int?, path: String) -> Diagnostic? {
        guard let mode = tls?["mode"]?.stringValue, ["SIMPLE", "MUTUAL"].contains(mode),
            tls?["insecureSkipVerify"]?.boolValue != true,
            ["caCertificates", "credentialName"].allSatisfy({ (tls?[$0]?.stringValue ?? "").isEmpty })
        else { return nil }
        let host = rule.json[path: "spec", "host"]?.stringValue ?? ""
        return Diagnostic(
            .info, code: port == nil ? "IST0128" : "IST0129", resource: rule.reference, path: path,
            message:
                "DestinationRule \(rule.name) in namespace \(rule.namespace) has TLS mode set to \(mode) but no "
                + "caCertificates for host \(host)\(port.map { " at port \($0)" } ?? ""): the server is checked against "
                + "the system's authorities.",
            hint: "For a private authority set caCertificates or credentialName; caCertificates: system says it aloud.")
    }
}
