package import WeftCore

/// What the dashboard shows. Asked at every refresh; must answer from memory.
package protocol DashboardSource: Sendable {
    /// Live edges as an array of objects (source, destination, service, rates, latency, mTLS share).
    func edges() async -> JSONValue
    /// Connected proxies with their state of synchronisation.
    func proxies() async -> JSONValue
    /// Workloads and services of the mesh.
    func workloads() async -> JSONValue
}
