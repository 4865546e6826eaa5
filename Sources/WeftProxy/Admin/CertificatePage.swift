import FoundationEssentials
import WeftCA
import WeftCore
import WeftIR
import WeftIdentity

/// `/certs`, in the form that Envoy has.
enum CertificatePage {
    static func json(_ identity: WorkloadIdentity?, now: Date = Date()) -> JSONValue {
        guard let identity else { return ["certificates": []] }
        let chain = (try? CertificateInfo.all(inPEM: identity.certificate.chainPEM)) ?? []
        let roots = (try? CertificateInfo.all(inPEM: identity.trustBundlePEM)) ?? []
        return [
            "certificates": [
                [
                    "ca_cert": .array(roots.map { entry($0, "ROOTCA", now) }),
                    "cert_chain": .array(chain.map { entry($0, "default", now) }),
                ]
            ]
        ]
    }

    /// Of a proxy without an agent: what its configuration names.
    static func json(_ configuration: ProxyConfiguration, now: Date = Date()) -> JSONValue {
        var entries: [JSONValue] = []
        for (name, secret) in configuration.secrets.sorted(by: { $0.key < $1.key }) {
            switch secret.content {
            case .certificate(let chain, _):
                let all = (try? CertificateInfo.all(inPEM: chain)) ?? []
                entries.append(["ca_cert": [], "cert_chain": .array(all.map { entry($0, name, now) })])
            case .validation(let bundle, _, _):
                let all = (try? CertificateInfo.all(inPEM: bundle)) ?? []
                entries.append(["ca_cert": .array(all.map { entry($0, name, now) }), "cert_chain": []])
            default: break
            }
        }
        return ["certificates": .array(entries)]
    }

    /// How long the proxy's own certificate is good for, as Istio's agents tell it.
    static func expiryText(_ identity: WorkloadIdentity?, now: Date = Date()) -> String {
        guard let identity else { return "" }
        let seconds = Int64(identity.certificate.notAfter.timeIntervalSince(now))
        return """
            # TYPE istio_agent_cert_expiry_seconds gauge
            istio_agent_cert_expiry_seconds{resource_name="default"} \(seconds)

            """
    }

    private static func entry(_ info: CertificateInfo, _ source: String, _ now: Date) -> JSONValue {
        let days = max(0, info.notAfter.timeIntervalSince(now) / 86_400)
        let names: [JSONValue] =
            info.uriNames.map { ["uri": .string($0)] } + info.dnsNames.map { ["dns": .string($0)] }
        return [
            "path": "<inline>", "secret_name": .string(source), "serial_number": .string(info.serialNumber),
            "subject_alt_names": .array(names), "days_until_expiration": .string(String(Int64(days))),
            "valid_from": .string(info.notBefore.formatted(.iso8601)),
            "expiration_time": .string(info.notAfter.formatted(.iso8601)),
        ]
    }
}
