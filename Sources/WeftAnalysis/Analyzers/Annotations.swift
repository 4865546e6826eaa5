import WeftConfig
package import WeftCore

/// IST0107, IST0108, IST0125, IST0135, IST0136: annotations of the mesh on the wrong kind, unknown, with a value that
/// cannot be read, out of use, or not stable yet.
package struct AnnotationAnalyzer: Analyzer {
    package let name = "annotations.K8sAnalyzer"
    private static let kinds = [
        "Namespace", "Service", "Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob",
    ]

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        Self.kinds.flatMap(context.all).flatMap { object -> [Diagnostic] in
            let own = findings(object, object.annotations, kind: object.kind, at: "metadata.annotations")
            guard let template = Self.template[object.kind] else { return own }
            let place = (template + ["metadata", "annotations"])[...]
            let annotations = object.json[path: place]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
            return own + findings(object, annotations, kind: "Pod", at: place.joined(separator: "."))
        }
    }

    private static let template = [
        "Deployment": ["spec", "template"], "StatefulSet": ["spec", "template"], "DaemonSet": ["spec", "template"],
        "Job": ["spec", "template"], "CronJob": ["spec", "jobTemplate", "spec", "template"],
    ]

    private func findings(
        _ object: KubernetesObject, _ annotations: [String: String], kind: String, at path: String
    ) -> [Diagnostic] {
        annotations.filter { Self.isOfTheMesh($0.key) }.sorted { $0.key < $1.key }.flatMap { name, value in
            func finding(_ severity: Diagnostic.Severity, _ code: String, _ text: String, _ hint: String) -> Diagnostic
            {
                Diagnostic(
                    severity, code: code, resource: object.reference, path: "\(path)[\(name)]", message: text,
                    hint: hint)
            }
            guard let known = MeshAnnotation.all[name] else {
                return [
                    finding(
                        .warning, "IST0108", "Unknown annotation: \(name)",
                        "Correct its spelling, or delete it: nothing reads it.")
                ]
            }
            guard known.kinds.contains(kind) else {
                let places = known.kinds.sorted().joined(separator: ", ")
                return [
                    finding(
                        .warning, "IST0107", "Misplaced annotation: \(name) can only be applied to \(places)",
                        known.kinds.contains("Pod") && Self.template[kind] != nil
                            ? "Move it to the pod template." : "Move it there, or delete it.")
                ]
            }
            var found: [Diagnostic] = []
            if let problem = known.form.problem(value) {
                found.append(
                    finding(
                        .warning, "IST0125", "Invalid annotation \(name): \(problem)", "Correct the value \"\(value)\"."
                    ))
            }
            switch known.stage {
            case .stable: break
            case .alpha:
                found.append(
                    finding(
                        .info, "IST0136",
                        "Annotation \"\(name)\" is part of an alpha-phase feature and may be incompletely supported.",
                        "Expect it to change."))
            case .deprecated(let use):
                found.append(
                    finding(
                        .info, "IST0135",
                        "Annotation \"\(name)\" has been deprecated and may not work in future Istio versions.", use))
            }
            return found
        }
    }

    /// Names that only a mesh reads.
    private static func isOfTheMesh(_ name: String) -> Bool {
        guard let slash = name.firstIndex(of: "/") else { return false }
        let domain = name[..<slash]
        return domain == "istio.io" || domain.hasSuffix(".istio.io")
    }
}

/// One of Istio's annotations (istio/api `annotation/annotations.yaml`): where it may stand and what it may say.
struct MeshAnnotation: Sendable {
    enum Stage: Sendable, Hashable {
        case stable, alpha
        /// What to use in its place.
        case deprecated(String)
    }

    /// What a value looks like.
    enum Form: Sendable, Hashable {
        case text, boolean, number, ports, ranges
        case oneOf([String])

        /// What is wrong with a value; `nil` for a good one.
        func problem(_ value: String) -> String? {
            let parts = value.split(separator: ",").map { String($0.filter { $0 != " " }) }
            switch self {
            case .text: return nil
            case .boolean: return Bool(value) == nil ? "it is neither true nor false" : nil
            case .number: return Int(value).map { $0 >= 0 } == true ? nil : "it is no number"
            case .ports:
                let wrong = value == "*" ? nil : parts.first { UInt16($0) == nil }
                return wrong.map { "\"\($0)\" is no port" }
            case .ranges:
                let wrong = value == "*" ? nil : parts.first { !Addresses.isRange($0) }
                return wrong.map { "\"\($0)\" is no range of addresses such as 10.0.0.0/8" }
            case .oneOf(let values):
                return values.contains(value) ? nil : "it is none of \(values.joined(separator: ", "))"
            }
        }
    }

    /// The kinds that may have it; a pod template counts as a Pod.
    var kinds: Set<String> = ["Pod"]
    var form = Form.text
    var stage = Stage.stable

    static let all: [String: MeshAnnotation] = {
        var all: [String: MeshAnnotation] = [:]
        for (name, form) in pods { all[name] = MeshAnnotation(form: form) }
        for (name, form) in alpha { all[name] = MeshAnnotation(form: form, stage: .alpha) }
        for (name, use) in deprecated { all[name] = MeshAnnotation(stage: .deprecated(use)) }
        for name in ["networking.istio.io/exportTo", "traffic.istio.io/nodeSelector"] {
            all[name] = MeshAnnotation(kinds: ["Service"])
        }
        all["networking.istio.io/traffic-distribution"] = MeshAnnotation(
            kinds: ["Service", "Namespace"],
            form: .oneOf(["PreferClose", "PreferSameZone", "PreferSameNode", "PreferSameNetwork", "Any"]))
        all["topology.istio.io/controlPlaneClusters"] = MeshAnnotation(kinds: ["Namespace"])
        all["galley.istio.io/analyze-suppress"] = MeshAnnotation(
            kinds: ["Namespace", "Service", "Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"])
        all["ambient.istio.io/waypoint-inbound-binding"] = MeshAnnotation(kinds: ["Service"])
        // Those of a Gateway are on what is made for it, too.
        for name in ["service-account", "name-override", "tls-terminate-mode", "controller-version"] {
            all["gateway.istio.io/\(name)"] = MeshAnnotation(kinds: ["Service", "Deployment", "Pod"])
        }
        all["networking.istio.io/service-type"] = MeshAnnotation(kinds: ["Service", "Deployment", "Pod"])
        return all
    }()

    private static let pods: [(String, Form)] = [
        ("sidecar.istio.io/status", .text), ("sidecar.istio.io/rewriteAppHTTPProbers", .boolean),
        ("sidecar.istio.io/proxyImage", .text), ("sidecar.istio.io/proxyImageType", .text),
        ("sidecar.istio.io/proxyCPU", .text), ("sidecar.istio.io/proxyCPULimit", .text),
        ("sidecar.istio.io/proxyMemory", .text), ("sidecar.istio.io/proxyMemoryLimit", .text),
        ("sidecar.istio.io/interceptionMode", .oneOf(["REDIRECT", "TPROXY", "NONE"])),
        ("sidecar.istio.io/userVolume", .text), ("sidecar.istio.io/userVolumeMount", .text),
        ("sidecar.istio.io/logLevel", .text), ("sidecar.istio.io/componentLogLevel", .text),
        ("sidecar.istio.io/agentLogLevel", .text), ("sidecar.istio.io/nativeSidecar", .boolean),
        ("status.sidecar.istio.io/port", .number),
        ("readiness.status.sidecar.istio.io/initialDelaySeconds", .number),
        ("readiness.status.sidecar.istio.io/periodSeconds", .number),
        ("readiness.status.sidecar.istio.io/failureThreshold", .number),
        ("readiness.status.sidecar.istio.io/applicationPorts", .ports),
        ("traffic.sidecar.istio.io/includeOutboundIPRanges", .ranges),
        ("traffic.sidecar.istio.io/excludeOutboundIPRanges", .ranges),
        ("traffic.sidecar.istio.io/includeInboundPorts", .ports),
        ("traffic.sidecar.istio.io/excludeInboundPorts", .ports),
        ("traffic.sidecar.istio.io/includeOutboundPorts", .ports),
        ("traffic.sidecar.istio.io/excludeOutboundPorts", .ports),
        ("traffic.sidecar.istio.io/excludeInterfaces", .text), ("proxy.istio.io/config", .text),
        ("proxy.istio.io/overrides", .text), ("inject.istio.io/templates", .text),
        ("prometheus.istio.io/merge-metrics", .boolean), ("istio.io/rev", .text),
        ("istio.io/reroute-virtual-interfaces", .text), ("ambient.istio.io/redirection", .text),
        ("ambient.istio.io/bypass-inbound-capture", .boolean), ("ambient.istio.io/dns-capture", .boolean),
    ]
    private static let alpha: [(String, Form)] = [
        ("sidecar.istio.io/bootstrapOverride", .text), ("sidecar.istio.io/statsHistogramBuckets", .text),
        ("sidecar.istio.io/statsFlushInterval", .text), ("sidecar.istio.io/statsEvictionInterval", .text),
    ]
    private static let deprecated: [(String, String)] = [
        ("sidecar.istio.io/inject", "Use the label of the same name."),
        ("sidecar.istio.io/discoveryAddress", "Use discoveryAddress in proxy.istio.io/config."),
        ("sidecar.istio.io/extraStatTags", "Use a Telemetry object."),
        ("sidecar.istio.io/statsCompression", "Delete it."),
        ("traffic.sidecar.istio.io/kubevirtInterfaces", "Use istio.io/reroute-virtual-interfaces."),
        ("sidecar.istio.io/statsInclusionPrefixes", "Use proxyStatsMatcher in proxy.istio.io/config."),
        ("sidecar.istio.io/statsInclusionSuffixes", "Use proxyStatsMatcher in proxy.istio.io/config."),
        ("sidecar.istio.io/statsInclusionRegexps", "Use proxyStatsMatcher in proxy.istio.io/config."),
    ]
}
