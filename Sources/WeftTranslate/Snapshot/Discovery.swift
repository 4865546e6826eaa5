import WeftConfig

extension MeshConfig {
    /// The objects that the mesh looks at: those without a namespace, those of the root namespace, and those of namespaces
    /// that meet one of `discoverySelectors`. Without selectors, all.
    func discovered(_ objects: [KubernetesObject]) -> [KubernetesObject] {
        guard let selectors = discoverySelectors, !selectors.isEmpty else { return objects }
        var chosen: Set<String> = ["", effectiveRootNamespace]
        for namespace in objects where namespace.kind == "Namespace" && namespace.apiVersion == "v1" {
            if selectors.contains(where: { $0.matches(namespace.labels) }) { chosen.insert(namespace.name) }
        }
        return objects.filter { chosen.contains($0.namespace) }
    }
}
