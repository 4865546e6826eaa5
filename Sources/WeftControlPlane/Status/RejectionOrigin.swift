import WeftCore
import WeftIR
import WeftXDS

/// Finds the objects that a refused resource was made from. Pure.
enum RejectionOrigin {
    /// - Parameter message: the proxy's words; the resources whose names it has are the refused ones.
    static func objects(of message: String, _ type: ResourceType, in configuration: ProxyConfiguration)
        -> [ResourceReference]
    {
        guard let json = try? JSONValue(encoding: configuration) else { return [] }
        let key =
            switch type {
            case .cluster: "clusters"
            case .listener: "listeners"
            case .endpoint: "endpoints"
            case .route: "routes"
            case .secret: "secrets"
            case .names: "names"
            }
        var found: Set<ResourceReference> = []
        for (name, resource) in json[key]?.objectValue ?? [:] where message.contains(name) {
            collect(resource, into: &found)
        }
        return found.sorted { $0.description < $1.description }
    }

    private static func collect(_ value: JSONValue, into found: inout Set<ResourceReference>) {
        switch value {
        case .array(let elements):
            for element in elements { collect(element, into: &found) }
        case .object(let members):
            if let origin = try? members["provenance"]?["resource"]?.decode(ResourceReference.self) {
                found.insert(origin)
            }
            for member in members.values { collect(member, into: &found) }
        default: break
        }
    }
}
