package import WeftCore

/// What the dashboard shows. Asked at every refresh; must answer from memory. Nothing here may hold a secret.
package protocol DashboardSource: Sendable {
    /// Live edges as an array of objects (source, destination, service, rates, latency, mTLS share).
    func edges() async -> JSONValue
    /// Connected proxies with their state of synchronisation.
    func proxies() async -> JSONValue
    /// What one proxy (`POD.NAMESPACE`) is configured to do: `{"listeners": [{"name", "value"}], …}`; `nil` if it is not
    /// connected.
    func proxy(named name: String) async -> JSONValue?
    /// Workloads: what owns pods, with the pods, labels and services.
    func workloads() async -> JSONValue
    /// Kubernetes Services with their ports and workloads.
    func services() async -> JSONValue
    /// The control plane: versions, trust domain, roots.
    func mesh() async -> JSONValue
    /// Every object of the configuration: group, kind, namespace, name, `spec`, and `messages` about it.
    func configuration() async -> JSONValue
    /// One object, whole, with `messages` about it.
    /// - Parameter group: of the object's API: both Istio and the Gateway API have a `Gateway`; `nil` takes the first.
    func object(_ reference: ResourceReference, group: String?) async -> JSONValue?
}
