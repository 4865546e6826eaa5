import WeftCore
import WeftIR

/// Patches on a route table and its parts.
enum RoutePatching {
    /// - Parameter context: of tables inside listeners; `nil` is a table that goes over the wire by itself.
    /// - Returns: how many places the patch changed.
    static func apply(
        _ patch: ResourcePatch, to table: inout JSONValue, context: ResourcePatch.Context?
    ) -> Int {
        if patch.context == .inbound, context != .inbound { return 0 }
        if patch.context == .outbound, context == .inbound { return 0 }
        guard meets(table["name"]?.stringValue ?? "", patch.route) else { return 0 }
        switch patch.target {
        case .routeConfiguration:
            guard patch.operation == .merge || patch.operation == .mergeReplacingLists else { return 0 }
            let merge = MessageMerge(replacesLists: patch.operation == .mergeReplacingLists)
            table = merge.merge(
                patch.value ?? .object([:]), over: table, as: "envoy.config.route.v3.RouteConfiguration")
            return 1
        case .virtualHost:
            var hosts = table["virtual_hosts"]?.arrayValue ?? []
            let changes = ElementPatching(
                message: "envoy.config.route.v3.VirtualHost",
                name: patch.route.flatMap { $0.virtualHost ?? $0.domain }
            ).apply(patch, &hosts) { _, host in isMeant(host, patch.route) }
            if changes > 0 { table["virtual_hosts"] = .array(hosts) }
            return changes
        default: return routes(patch, &table)
        }
    }

    private static func routes(_ patch: ResourcePatch, _ table: inout JSONValue) -> Int {
        var changes = 0
        var hosts = table["virtual_hosts"]?.arrayValue ?? []
        for index in hosts.indices where isMeant(hosts[index], patch.route) {
            var routes = hosts[index]["routes"]?.arrayValue ?? []
            let name = patch.route?.route ?? (patch.route.map { $0.action != .any } == true ? "by action" : nil)
            let changed = ElementPatching(message: "envoy.config.route.v3.Route", name: name).apply(patch, &routes) {
                _, route in isMeant(route: route, patch.route)
            }
            if changed > 0 { hosts[index]["routes"] = .array(routes) }
            changes += changed
        }
        if changes > 0 { table["virtual_hosts"] = .array(hosts) }
        return changes
    }

    // MARK: - Matching

    /// Names of tables: `80`, `host:80`, `http.8080`, `https.443.PORTNAME.GATEWAY.NAMESPACE`, `inbound|9080||`.
    private static func meets(_ name: String, _ match: ResourcePatch.RouteMatch?) -> Bool {
        guard let match else { return true }
        if let wanted = match.name, !wanted.isEmpty, wanted != name { return false }
        let parts = name.split(separator: ".").map(String.init)
        let isSecure = parts.first == "https" && parts.count >= 5
        if !match.ports.isEmpty {
            guard let port = port(of: name), match.ports.contains(port) else { return false }
        }
        if let portName = match.portName, !portName.isEmpty {
            guard isSecure, parts[2] == portName else { return false }
        }
        if let gateway = match.gateway, !gateway.isEmpty {
            guard isSecure, gateway == "\(parts[4])/\(parts[3])" else { return false }
        }
        return true
    }

    private static func port(of name: String) -> Int? {
        if let number = Int(name) { return number }
        if name.hasPrefix("http.") || name.hasPrefix("https.") { return Int(name.split(separator: ".")[1]) }
        let parts = name.split(separator: "|")
        if parts.count >= 2 { return Int(parts[1]) }
        return name.split(separator: ":").last.flatMap { Int($0) }
    }

    private static func isMeant(_ host: JSONValue, _ match: ResourcePatch.RouteMatch?) -> Bool {
        guard let match else { return true }
        if let name = match.virtualHost, !name.isEmpty, host["name"]?.stringValue != name { return false }
        guard let domain = match.domain, !domain.isEmpty else { return true }
        return host["domains"]?.arrayValue?.contains(.string(domain)) == true
    }

    private static func isMeant(route: JSONValue, _ match: ResourcePatch.RouteMatch?) -> Bool {
        guard let match else { return true }
        if let name = match.route, !name.isEmpty, route["name"]?.stringValue != name { return false }
        return switch match.action {
        case .any: true
        case .route: route["route"] != nil
        case .redirect: route["redirect"] != nil
        case .directResponse: route["direct_response"] != nil
        }
    }
}
