/// What telemetry calls a workload: its canonical service and revision, from its labels as Istio reads them.
///
/// A proxy that knows its own says so in its node metadata (``marker``) and has them in its environment. What it is sent
/// then names the variables, and is the same for all applications that send alike: with the names spelled out, a mesh
/// that traces would make every listener once for each application.
package struct CanonicalName: Sendable, Hashable {
    /// Node metadata of a proxy whose process has ``serviceVariable``, ``revisionVariable`` and `service.name` in
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    package static let marker = "CANONICAL_NAMES"
    package static let serviceVariable = "CANONICAL_SERVICE"
    package static let revisionVariable = "CANONICAL_REVISION"
    package static let unknownService = "unknown"
    package static let unknownRevision = "latest"

    private static let serviceLabels = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]
    private static let revisionLabel = "service.istio.io/canonical-revision"
    /// All labels that names are taken from.
    package static let labels = Set(serviceLabels + [revisionLabel])

    /// `nil` when no label names it.
    package let service: String?
    package let revision: String

    package init(labels: [String: String]) {
        service = Self.serviceLabels.lazy.compactMap { labels[$0] }.first { !$0.isEmpty }
        revision = labels[Self.revisionLabel] ?? Self.unknownRevision
    }

    /// `service.name` of the workload's spans in OTLP.
    package func tracingService(in namespace: String) -> String { "\(service ?? "istio-proxy").\(namespace)" }
}
