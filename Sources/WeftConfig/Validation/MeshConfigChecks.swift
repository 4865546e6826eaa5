package import WeftCore

/// Looks through the mesh configuration for what is not obeyed: names that are no fields, and fields of Istio's that have
/// no effect here, each with the reason.
package enum MeshConfigChecks {
    /// Fields of Istio's whose absence of effect is no loss, because what they switch is not there or always so.
    private static let harmless: Set<String> = [
        "ca", "caCertificates", "certificates", "configSources", "disableEnvoyListenerLog", "dnsRefreshRate",
        "enablePrometheusMerge", "hboneIdleTimeout", "serviceSettings", "serviceScopeConfigs",
        "verifyCertificateAtClient",
    ]

    /// Why a field of Istio's has no effect.
    private static let reasons: [String: String] = [
        "proxyListenPort": "the redirect rules of pods lead to 15001",
        "proxyInboundListenPort": "the redirect rules of pods lead to 15006",
        "proxyHttpPort": "proxies have no HTTP proxy port; use a Sidecar with an egress listener that binds",
        "ingressClass": "Kubernetes Ingress objects are not read; use a Gateway",
        "ingressService": "Kubernetes Ingress objects are not read; use a Gateway",
        "ingressControllerMode": "Kubernetes Ingress objects are not read; use a Gateway",
        "ingressSelector": "Kubernetes Ingress objects are not read; use a Gateway",
        "enableEnvoyAccessLogService": "access logs go to accessLogFile",
        "inboundClusterStatName": "metrics of clusters have the clusters' own names",
        "outboundClusterStatName": "metrics of clusters have the clusters' own names",
        "serviceEntryVisibility": "ServiceEntries are seen as exportTo and defaultServiceExportTo say",
        "meshMTLS.ecdhCurves": "the proxies' curves are fixed",
        "tlsDefaults.ecdhCurves": "the proxies' curves are fixed",
        "thriftConfig": "the Thrift protocol is forwarded as TCP",
    ]

    /// - Parameters:
    ///   - json: the document under key `mesh`.
    ///   - configMap: the object that holds it.
    package static func findings(_ json: JSONValue, configMap: ResourceReference) -> [Diagnostic] {
        guard let typed = try? json.decode(MeshConfig.self), let known = try? JSONValue(encoding: typed) else {
            return []
        }
        var result: [Diagnostic] = []
        for path in Validator.missing(from: known, in: json, path: "mesh").sorted() {
            let field = path.split(separator: ".").dropFirst().first.map { String($0.prefix { $0 != "[" }) } ?? path
            if path == "mesh.\(field)", harmless.contains(field) { continue }
            let reason = reasons[String(path.dropFirst(5))] ?? reasons[field]
            let message =
                reason.map { "\(path.dropFirst(5)) has no effect: \($0)" } ?? "\(path.dropFirst(5)) is no known field"
            result.append(
                Diagnostic(.warning, code: "IST0133", resource: configMap, path: "data.\(path)", message: message))
        }
        return result
            + formats(of: typed).map { path, problem in
                Diagnostic(
                    .error, code: "IST0106", resource: configMap, path: "data.mesh.\(path)",
                    message: "\(problem); the standard one is used")
            }
    }

    /// Formats of log lines that cannot be read.
    private static func formats(of mesh: MeshConfig) -> [(path: String, problem: String)] {
        var found: [(String, String)] = []
        if let text = mesh.accessLogFormat, !text.isEmpty {
            let json = try? JSONValue(parsing: text)
            if mesh.accessLogEncoding != .json {
                if let problem = JSONValue.string(text).formatProblem { found.append(("accessLogFormat", problem)) }
            } else if json?.objectValue == nil {
                found.append(
                    ("accessLogFormat", "with accessLogEncoding JSON the format must be a JSON object"))
            } else if let problem = json?.formatProblem {
                found.append(("accessLogFormat", problem))
            }
        }
        for (index, provider) in (mesh.extensionProviders ?? []).enumerated() {
            let path = "extensionProviders[\(index)].envoyFileAccessLog.logFormat"
            let format = provider.envoyFileAccessLog?.logFormat
            if let problem = format?.text.flatMap({ JSONValue.string($0).formatProblem }) {
                found.append(("\(path).text", problem))
            }
            if let problem = format?.labels.flatMap({ JSONValue.object($0).formatProblem }) {
                found.append(("\(path).labels", problem))
            }
        }
        return found
    }
}

extension JSONValue {
    /// Why some text in it, at any depth, is no format string.
    package var formatProblem: String? {
        switch self {
        case .string(let text):
            do throws(FormatError) {
                _ = try FormatTemplate(text)
                return nil
            } catch {
                return "the format cannot be read: \(error)"
            }
        case .array(let elements): return elements.lazy.compactMap(\.formatProblem).first
        case .object(let members):
            return members.sorted { $0.key < $1.key }.lazy.compactMap(\.value.formatProblem).first
        default: return nil
        }
    }
}
