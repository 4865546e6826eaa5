import WeftCore

/// Gives Services their virtual addresses and node ports, inside the commit, so that no two get the same.
enum Allocation {
    private static let services = StorageID(group: "", resource: "services")

    static func assign(_ object: inout JSONValue, old: JSONValue?, _ transaction: inout Transaction) throws {
        guard object.string("kind") == "Service", object.string("spec", "type") != "ExternalName" else { return }
        let name = object.string("metadata", "name")
        let all = transaction.all(services)
        var address = object.string("spec", "clusterIP")
        if address.isEmpty { address = old?.string("spec", "clusterIP") ?? "" }
        if address.isEmpty {
            let used = Set(all.map { $0.string("spec", "clusterIP") })
            let reserved: Set = ["10.96.0.1", "10.96.0.10"]
            if name == "kubernetes", object.string("metadata", "namespace") == "default" { address = "10.96.0.1" }
            if name == "kube-dns", object.string("metadata", "namespace") == "kube-system" { address = "10.96.0.10" }
            while address.isEmpty {
                let candidate = "10.\(Int.random(in: 96...111)).\(Int.random(in: 0...255)).\(Int.random(in: 1...254))"
                if !used.contains(candidate), !reserved.contains(candidate) { address = candidate }
            }
        } else if address != "None", address != old?.string("spec", "clusterIP"),
            all.contains(where: { $0.string("spec", "clusterIP") == address })
        {
            throw APIError.invalid(
                kind: "Service", group: "", name: name,
                [
                    .invalid(
                        "spec.clusterIPs", .array([.string(address)]),
                        "failed to allocate IP \(address): provided IP is already allocated")
                ])
        }
        object[path: "spec", "clusterIP"] = .string(address)
        object[path: "spec", "clusterIPs"] = [.string(address)]
        assignNodePorts(&object, old, all)
    }

    private static func assignNodePorts(_ object: inout JSONValue, _ old: JSONValue?, _ all: [JSONValue]) {
        guard ["NodePort", "LoadBalancer"].contains(object.string("spec", "type")),
            var ports = object[path: "spec", "ports"]?.arrayValue
        else { return }
        let used = Set(
            all.flatMap { $0[path: "spec", "ports"]?.arrayValue?.compactMap { $0["nodePort"]?.intValue } ?? [] })
        let before = old?[path: "spec", "ports"]?.arrayValue ?? []
        for index in ports.indices where ports[index]["nodePort"] == nil {
            let kept = before.first { $0["port"] == ports[index]["port"] && $0["protocol"] == ports[index]["protocol"] }
            let free = (30000...32767).shuffled().first { !used.contains($0) } ?? 30000
            ports[index]["nodePort"] = kept?["nodePort"] ?? .int(Int64(free))
        }
        object[path: "spec", "ports"] = .array(ports)
    }
}
