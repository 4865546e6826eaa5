/// Names that the control plane, a machine's proxy and the command line use for the same things, as Istio has them.
package enum MachineRegistration {
    /// Node metadata: the WorkloadGroup by which the proxy wants to be registered.
    package static let groupKey = "AUTO_REGISTER_GROUP"
    /// Node metadata: the WorkloadEntry, written by hand, that the proxy stands for.
    package static let entryKey = "WORKLOAD_ENTRY"
    /// Annotation of a WorkloadEntry: the WorkloadGroup by which it was registered.
    package static let groupAnnotation = "istio.io/autoRegistrationGroup"
    /// Annotation: the instance of the control plane that the proxy is, or was last, connected to.
    package static let controllerAnnotation = "istio.io/workloadController"
    /// Annotation: when the proxy connected; RFC 3339 with fractions of a second.
    package static let connectedAnnotation = "istio.io/connectedAt"
    /// Annotation: when the connection ended, while no other has come.
    package static let disconnectedAnnotation = "istio.io/disconnectedAt"
    /// Annotation: `true` where the proxy probes its application; until it has said that it is well, it is not.
    package static let probedAnnotation = "proxy.istio.io/health-checks-enabled"
    /// The condition of a WorkloadEntry's status that the probe decides.
    package static let healthCondition = "Healthy"

    /// Longest name of an object.
    private static let longestName = 253

    /// The name of the WorkloadEntry that a machine gets: `GROUP-ADDRESS[-NETWORK]`, cut in front if it is too long.
    package static func entryName(group: String, address: String, network: String) -> String {
        // Colons of an IPv6 address may stand in no name.
        let parts = [group, address.replacing(":", with: "-"), network].filter { !$0.isEmpty }
        return String(parts.joined(separator: "-").suffix(longestName))
    }
}
