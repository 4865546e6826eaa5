import WeftConfig
package import WeftCore

/// IST0110, IST0111, IST0159, IST0160: two Sidecars, or two Telemetries, for one workload, or for a namespace as a whole.
package struct ConflictingSelectorAnalyzer: Analyzer {
    package let name = "sidecar.SelectorAnalyzer"
    private static let kinds: [(kind: String, selected: String, whole: String)] = [
        ("Sidecar", "IST0110", "IST0111"), ("Telemetry", "IST0159", "IST0160"),
    ]

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        Self.kinds.flatMap { kind, selected, whole in
            let objects = Dictionary(grouping: context.all(kind), by: \.namespace).values.sorted {
                $0[0].namespace < $1[0].namespace
            }
            return objects.flatMap { group in
                Self.conflicts(group, context, selected) + Self.doubles(group, whole)
            }
        }
    }

    /// Objects of one namespace that select the same pod.
    private static func conflicts(_ objects: [KubernetesObject], _ context: AnalysisContext, _ code: String)
        -> [Diagnostic]
    {
        objects.compactMap { object in
            guard let own = object.podSelector else { return nil }
            let mine = context.pods(in: object.namespace, selectedBy: own)
            let others = objects.filter { other in
                guard other.name != object.name, let theirs = other.podSelector else { return false }
                return mine.contains { pod in theirs.allSatisfy { pod[$0.key] == $0.value } }
            }
            guard !others.isEmpty else { return nil }
            let names = ([object] + others).map(\.name).sorted().joined(separator: ",")
            return Diagnostic(
                .error, code: code, resource: object.reference, path: "spec",
                message:
                    "The \(object.kind) objects [\(names)] in namespace \(object.namespace) select the same workload pod, "
                    + "which can lead to undefined behavior.",
                hint: "Let one object select each workload.")
        }
    }

    /// Objects of one namespace without a selector, of which one counts.
    private static func doubles(_ objects: [KubernetesObject], _ code: String) -> [Diagnostic] {
        let general = objects.filter { $0.podSelector == nil && $0.array("spec", "targetRefs").isEmpty }
        guard general.count > 1 else { return [] }
        let names = general.map(\.name).sorted().joined(separator: ",")
        return general.map { object in
            Diagnostic(
                .error, code: code, resource: object.reference, path: "spec",
                message:
                    "The \(object.kind) objects [\(names)] in namespace \(object.namespace) have no workload selectors, "
                    + "which can lead to undefined behavior.",
                hint: "Keep one of them, or give the others selectors.")
        }
    }
}

/// IST0127: a policy whose selector no pod meets.
package struct UnmatchedSelectorAnalyzer: Analyzer {
    package let name = "policy.SelectorAnalyzer"
    private static let kinds = [
        "AuthorizationPolicy", "RequestAuthentication", "PeerAuthentication", "Sidecar", "Telemetry",
    ]
    private static let root = "istio-system"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        guard context.knowsPods else { return [] }
        return Self.kinds.flatMap(context.all).compactMap { object in
            guard let selector = object.podSelector else { return nil }
            let namespace = object.namespace == Self.root ? nil : object.namespace
            guard context.pods(in: namespace, selectedBy: selector).isEmpty else { return nil }
            let text = selector.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
            return Diagnostic(
                .warning, code: "IST0127", resource: object.reference, path: "spec.selector",
                message: "No matching workloads for this resource with the following labels: \(text)",
                hint: "Correct the labels, or delete the object.")
        }
    }
}

/// IST0123: a namespace with two labels for injection, of which one counts; IST0144: an application with the proxy's user.
package struct WorkloadIdentityAnalyzer: Analyzer {
    package let name = "injection.LabelsAndUsersAnalyzer"
    private static let proxyUser = 1337

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        let spaces = context.all("Namespace").compactMap { space -> Diagnostic? in
            guard space.labels["istio-injection"] != nil, let revision = space.labels["istio.io/rev"] else {
                return nil
            }
            return Diagnostic(
                .warning, code: "IST0123", resource: space.reference, path: "metadata.labels",
                message:
                    "The namespace has both istio-injection and istio.io/rev=\(revision); only istio-injection counts.",
                hint: "Remove one: kubectl label namespace \(space.name) istio-injection-")
        }
        return spaces + context.all("Pod").flatMap(users) + context.all("Deployment").flatMap(users)
    }

    private func users(_ object: KubernetesObject) -> [Diagnostic] {
        // The control plane has no proxy beside it, and runs as that user itself.
        guard object.labels["app"] != "istiod" else { return [] }
        let isPod = object.kind == "Pod"
        let spec = (isPod ? object.json["spec"] : object.json[path: "spec", "template", "spec"]) ?? [:]
        let standard = spec[path: "securityContext", "runAsUser"]?.intValue
        let containers = spec["containers"]?.arrayValue ?? []
        let wrong = containers.filter { container in
            guard container["name"]?.stringValue != "istio-proxy" else { return false }
            return (container[path: "securityContext", "runAsUser"]?.intValue ?? standard) == Self.proxyUser
        }
        return wrong.map { container in
            Diagnostic(
                .warning, code: "IST0144", resource: object.reference, path: "spec.securityContext.runAsUser",
                message: "User ID (UID) 1337 is reserved for the sidecar proxy: what container "
                    + "\(container["name"]?.stringValue ?? "") sends goes past the proxy.",
                hint: "Let it run as another user.")
        }
    }
}

extension KubernetesObject {
    /// The labels that select pods; `nil` without a selector, which is every pod.
    var podSelector: [String: String]? {
        let selector =
            json[path: "spec", "workloadSelector", "labels"] ?? json[path: "spec", "workloadSelector", "matchLabels"]
            ?? json[path: "spec", "selector", "matchLabels"]
        let labels = selector?.objectValue?.compactMapValues(\.stringValue) ?? [:]
        return labels.isEmpty ? nil : labels
    }
}
