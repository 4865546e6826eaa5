import FoundationEssentials
import WeftConfig
package import WeftCore

/// IST0139: an injector that calls a Service which is not there, or two injectors for the same pods.
package struct WebhookAnalyzer: Analyzer {
    package let name = "webhook.Analyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        let injectors = context.all("MutatingWebhookConfiguration").flatMap { object in
            object.hooks.filter { $0.name.hasSuffix("sidecar-injector.istio.io") }.map { (object, $0) }
        }
        let checks = context.all("ValidatingWebhookConfiguration").flatMap { object in
            object.hooks.filter { $0.name.hasSuffix("validation.istio.io") }.map { (object, $0) }
        }
        let services = Set(context.all("Service").map { "\($0.namespace)/\($0.name)" })
        let lost = (injectors + checks).compactMap { object, hook -> Diagnostic? in
            guard let service = hook.service, !services.contains(service) else { return nil }
            return finding(object, "\(hook.name) refers to a control plane service that does not exist: \(service).")
        }
        let doubles = injectors.enumerated().compactMap { index, entry -> Diagnostic? in
            let (object, hook) = entry
            let twin = injectors[..<index].first { $0.0.name != object.name && $0.1.selectors == hook.selectors }
            return twin.map {
                finding(object, "\(hook.name) selects the same pods as webhook configuration \($0.0.name).")
            }
        }
        return lost + doubles
    }

    private func finding(_ object: KubernetesObject, _ text: String) -> Diagnostic {
        Diagnostic(
            .error, code: "IST0139", resource: object.reference, path: "webhooks",
            message: "The webhook is invalid: \(text)",
            hint: "Delete what an earlier installation left behind, or install that revision again.")
    }
}

/// One webhook of a configuration.
private struct Hook {
    var name: String
    /// `NAMESPACE/NAME` of whom it calls; `nil` for an address.
    var service: String?
    var selectors: JSONValue
}

extension KubernetesObject {
    fileprivate var hooks: [Hook] {
        (json["webhooks"]?.arrayValue ?? []).map { hook in
            let service = hook[path: "clientConfig", "service"]
            return Hook(
                name: hook["name"]?.stringValue ?? "",
                service: service.map { "\($0["namespace"]?.stringValue ?? "")/\($0["name"]?.stringValue ?? "")" },
                selectors: [hook["namespaceSelector"] ?? [:], hook["objectSelector"] ?? [:]])
        }
    }
}

/// IST0161: the Secret of a Gateway's `credentialName` holds nothing that can be served.
package struct GatewayCredentialAnalyzer: Analyzer {
    package let name = "gateway.SecretAnalyzer"
    private static let authorities = "-cacert"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        let secrets = Dictionary(grouping: context.all("Secret"), by: \.name)
        return context.all("Gateway").flatMap { gateway -> [Diagnostic] in
            gateway.array("spec", "servers").enumerated().compactMap { index, server in
                guard let name = server[path: "tls", "credentialName"]?.stringValue,
                    let found = secrets[name], !found.contains(where: Self.isGood)
                else { return nil }
                return Diagnostic(
                    .error, code: "IST0161", resource: gateway.reference,
                    path: "spec.servers[\(index)].tls.credentialName",
                    message:
                        "The credential referenced by the Gateway \(gateway.name) in namespace \(gateway.namespace) "
                        + "is invalid, which can cause the traffic not to work as expected: Secret \(name) has no "
                        + "certificate with its key in PEM.",
                    hint: "Make it with kubectl create secret tls, or with the keys cert and key.")
            }
        }
    }

    /// A certificate and a key under Kubernetes' names, or Istio's.
    private static func isGood(_ secret: KubernetesObject) -> Bool {
        [("tls.crt", "tls.key"), ("cert", "key")].contains { certificate, key in
            isPEM(secret.json[path: "data", certificate], "CERTIFICATE")
                && isPEM(secret.json[path: "data", key], "PRIVATE KEY")
        }
    }

    /// Whether there is a PEM block of a kind; what is in it the gateway's proxy says.
    private static func isPEM(_ value: JSONValue?, _ kind: String) -> Bool {
        guard let text = value?.stringValue else { return false }
        guard let bytes = Data(base64Encoded: text) else { return false }
        let plain = String(decoding: bytes, as: UTF8.self)
        return plain.split(separator: "\n").contains { $0.hasPrefix("-----BEGIN ") && $0.contains(kind) }
    }
}

/// IST0171: what the control plane says of an object is bad news.
package struct ConditionAnalyzer: Analyzer {
    package let name = "conditions.ConditionAnalyzer"
    private static let groups = ["networking.istio.io", "security.istio.io", "telemetry.istio.io"]
    private static let types: Set<String> = ["Accepted", "Reconciled"]

    /// Analysis finds by itself what the condition repeats of it, and as things are now: a status follows after a moment.
    /// What proxies refused (`WEFT…`) only the control plane knows.
    private static func isOurs(reason: String, _ text: String) -> Bool {
        reason == "Invalid" && text.hasPrefix("IST") && !text.contains("WEFT0")
    }

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.objects.filter { Self.groups.contains($0.group) }.flatMap { object in
            object.array("status", "conditions").compactMap { condition -> Diagnostic? in
                guard let type = condition["type"]?.stringValue, Self.types.contains(type),
                    condition["status"]?.stringValue == "False"
                else { return nil }
                let reason = condition["reason"]?.stringValue ?? "no reason given"
                let text = condition["message"]?.stringValue ?? ""
                if Self.isOurs(reason: reason, text) { return nil }
                return Diagnostic(
                    .warning, code: "IST0171", resource: object.reference, path: "status.conditions",
                    message: "The condition is negative, type: \(type), reason: \(reason), message: \(text).",
                    hint: "kubectl describe shows all conditions; weft proxy-status shows who is behind.")
            }
        }
    }
}
