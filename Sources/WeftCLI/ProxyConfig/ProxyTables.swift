import Foundation
import WeftCore
import WeftIdentity

/// The tables of `proxy-config`, with istioctl's columns.
enum ProxyTables {
    /// Which clusters to show; `nil` shows all.
    struct ClusterFilter {
        var fqdn: String?
        var port: Int?
        var subset: String?
        var direction: String?

        func matches(_ clusterName: String) -> Bool {
            let name = ClusterName(clusterName)
            return (fqdn.map { name.host.hasPrefix($0) } ?? true) && (port.map { name.port == String($0) } ?? true)
                && (subset.map { name.subset == $0 } ?? true) && (direction.map { name.direction == $0 } ?? true)
        }
    }

    /// A cluster's name taken apart: `outbound|9080|v1|reviews.bookinfo.svc.cluster.local`.
    struct ClusterName {
        var direction = "-"
        var port = "-"
        var subset = "-"
        var host: String

        init(_ name: String) {
            let parts = name.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 4 else {
                host = name
                return
            }
            direction = parts[0]
            port = parts[1]
            subset = parts[2].isEmpty ? "-" : parts[2]
            host = parts[3]
        }
    }

    static func clusters(_ dump: ProxyDump, filter: ClusterFilter) -> Table {
        var table = Table(["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"])
        for cluster in dump.clusters.sorted(by: name) {
            let name = ClusterName(cluster["name"]?.stringValue ?? "")
            guard filter.matches(cluster["name"]?.stringValue ?? "") else { continue }
            let type =
                cluster["type"]?.stringValue ?? cluster.field(path: "cluster_type", "name")?.stringValue ?? "STATIC"
            table.rows.append([
                name.host.isEmpty ? "-" : name.host, name.port, name.subset, name.direction, type,
                cluster.istioConfig ?? "",
            ])
        }
        return table
    }

    static func listeners(_ dump: ProxyDump, port: Int?, address: String?) -> Table {
        var table = Table(["ADDRESSES", "PORT", "MATCH", "DESTINATION"])
        for listener in dump.listeners.sorted(by: name) {
            let socket = listener.field(path: "address", "socket_address")
            let host = socket?["address"]?.stringValue ?? "-"
            let number = socket?.field("port_value")?.intValue ?? 0
            if let port, port != number { continue }
            if let address, address != host { continue }
            let chains =
                (listener.field("filter_chains")?.arrayValue ?? [])
                + [listener.field("default_filter_chain")].compactMap { $0 }
            for chain in chains {
                table.rows.append([host, String(number), match(chain), destination(chain)])
            }
        }
        return table
    }

    static func routes(_ dump: ProxyDump, name filter: String?) -> Table {
        var table = Table(["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"])
        for configuration in dump.routes.sorted(by: name) {
            let routeName = configuration["name"]?.stringValue ?? ""
            if let filter, filter != routeName { continue }
            for host in configuration.field("virtual_hosts")?.arrayValue ?? [] {
                for route in host["routes"]?.arrayValue ?? [] {
                    table.rows.append([
                        routeName, host["name"]?.stringValue ?? "", domains(host), describe(match: route["match"]),
                        virtualService(route),
                    ])
                }
            }
        }
        return table
    }

    /// - Parameter clusters: the proxy's `/clusters?format=json`.
    static func endpoints(_ clusters: JSONValue, cluster filter: String?, port: Int?, status: String?) -> Table {
        var table = Table(["ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"])
        for cluster in clusters.field("cluster_statuses")?.arrayValue ?? [] {
            let name = cluster["name"]?.stringValue ?? ""
            if let filter, filter != name { continue }
            for host in cluster.field("host_statuses")?.arrayValue ?? [] {
                let socket = host.field(path: "address", "socket_address")
                let number = socket?.field("port_value")?.intValue ?? 0
                if let port, port != number { continue }
                let health = host.field("health_status")
                let state = health?.field("eds_health_status")?.stringValue ?? "HEALTHY"
                if let status, status.uppercased() != state { continue }
                let ejected = health?.field("failed_outlier_check")?.boolValue ?? false
                let address = socket.map { "\($0["address"]?.stringValue ?? ""):\(number)" }
                let pipe = host.field(path: "address", "pipe", "path")?.stringValue
                table.rows.append([address ?? pipe ?? "-", state, ejected ? "FAILED" : "OK", name])
            }
        }
        table.rows.sort { $0.lexicographicallyPrecedes($1) }
        return table
    }

    /// One row for each secret, from its first certificate.
    static func secrets(_ dump: ProxyDump, now: Date = Date()) -> Table {
        var table = Table(["RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE"])
        for (entry, state) in dump.secrets {
            let chain = entry.field(path: "secret", "tls_certificate", "certificate_chain")
            let roots = entry.field(path: "secret", "validation_context", "trusted_ca")
            let info = (chain ?? roots).flatMap(pem).flatMap { try? CertificateInfo.all(inPEM: $0).first }
            let details: [String] =
                if let info {
                    [
                        String(info.isValid(at: now)), info.serialNumber, info.notAfter.formatted(.iso8601),
                        info.notBefore.formatted(.iso8601),
                    ]
                } else {
                    ["-", "-", "-", "-"]
                }
            table.rows.append(
                [entry["name"]?.stringValue ?? "", chain == nil ? "CA" : "Cert Chain", state] + details)
        }
        return table
    }
}

extension ProxyTables {
    /// The text of a `DataSource`; Envoy prints what came inline as Base64.
    private static func pem(_ source: JSONValue) -> String? {
        if let text = source.field("inline_string")?.stringValue { return text }
        return source.field("inline_bytes")?.stringValue.flatMap { Data(base64Encoded: $0) }
            .map { String(decoding: $0, as: UTF8.self) }
    }

    private static func name(_ left: JSONValue, _ right: JSONValue) -> Bool {
        (left["name"]?.stringValue ?? "") < (right["name"]?.stringValue ?? "")
    }

    private static func match(_ chain: JSONValue) -> String {
        guard let match = chain.field("filter_chain_match") else { return "ALL" }
        var parts: [String] = []
        if let protocolName = match.field("transport_protocol")?.stringValue, !protocolName.isEmpty {
            parts.append("Trans: \(protocolName)")
        }
        let applications = match.field("application_protocols")?.arrayValue?.compactMap(\.stringValue) ?? []
        if !applications.isEmpty { parts.append("App: \(applications.joined(separator: ","))") }
        let names = match.field("server_names")?.arrayValue?.compactMap(\.stringValue) ?? []
        if !names.isEmpty { parts.append("SNI: \(names.joined(separator: ","))") }
        for range in match.field("prefix_ranges")?.arrayValue ?? [] {
            parts.append(
                "Addr: \(range.field("address_prefix")?.stringValue ?? "")/\(range.field("prefix_len")?.intValue ?? 0)")
        }
        if let port = match.field("destination_port")?.intValue { parts.append("Port: \(port)") }
        return parts.isEmpty ? "ALL" : parts.joined(separator: "; ")
    }

    private static func destination(_ chain: JSONValue) -> String {
        for filter in chain["filters"]?.arrayValue ?? [] {
            guard let config = filter.field("typed_config") else { continue }
            if let rds = config.field(path: "rds", "route_config_name")?.stringValue { return "Route: \(rds)" }
            if let inline = config.field("route_config") {
                return "Inline Route: \(inline.field("virtual_hosts")?[0].map(firstTarget) ?? "/*")"
            }
            if let cluster = config["cluster"]?.stringValue { return "Cluster: \(cluster)" }
            if config.field("weighted_clusters") != nil { return "Weighted clusters" }
        }
        return "Non-HTTP/Non-TCP"
    }

    private static func firstTarget(_ host: JSONValue) -> String {
        let route = host["routes"]?[0]
        return "\(describe(match: route?["match"])) \(route?.field(path: "route", "cluster")?.stringValue ?? "")"
    }

    private static func domains(_ host: JSONValue) -> String {
        let all = host["domains"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let shown = all.filter { !$0.contains(":") }
        let list = shown.isEmpty ? all : shown
        return list.count <= 3 ? list.joined(separator: ", ") : "\(list[0]), \(list[1]) + \(list.count - 2) more..."
    }

    private static func describe(match: JSONValue?) -> String {
        guard let match else { return "/*" }
        var parts: [String] = []
        if let prefix = match["prefix"]?.stringValue { parts.append("\(prefix)*") }
        if let prefix = match.field("path_separated_prefix")?.stringValue { parts.append("PathPrefix:\(prefix)") }
        if let path = match["path"]?.stringValue { parts.append(path) }
        if let regex = match.field(path: "safe_regex", "regex")?.stringValue { parts.append("regex \(regex)") }
        for header in match["headers"]?.arrayValue ?? [] { parts.append("header \(header["name"]?.stringValue ?? "")") }
        return parts.joined(separator: "; ")
    }

    private static func virtualService(_ route: JSONValue) -> String {
        if let name = route.istioConfig { return name }
        return route.field("direct_response")?["status"]?.intValue.map { String($0) } ?? ""
    }
}
