import WeftConfig
package import WeftCore

/// IST0145: two Gateways of one set of pods serve the same host on a port; IST0138: they show one certificate, so that
/// browsers send requests for the one over connections to the other.
package struct ConflictingGatewayAnalyzer: Analyzer {
    package let name = "gateway.ConflictingGatewayAnalyzer"

    private struct Server {
        var gateway: KubernetesObject
        var selector: [String: String]
        var port: Int
        var hosts: [String]
        var credential: String
        var path: String
    }

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        let servers = context.all("Gateway").flatMap(Self.servers)
        var findings: [Diagnostic] = []
        for (index, server) in servers.enumerated() {
            let rivals = servers.enumerated().filter { other in
                other.offset != index && other.element.gateway.reference != server.gateway.reference
                    && other.element.selector == server.selector
            }.map(\.element)
            let clashes = rivals.filter { $0.port == server.port && !Self.common($0.hosts, server.hosts).isEmpty }
            if let first = clashes.first {
                let hosts = Self.common(first.hosts, server.hosts).joined(separator: ",")
                findings.append(
                    Diagnostic(
                        .error, code: "IST0145", resource: server.gateway.reference, path: "\(server.path).hosts",
                        message:
                            "Conflict with gateways \(Self.names(clashes)): the same port \(server.port) and hosts "
                            + "[\(hosts)] for the same pods.", hint: "Serve each host in one Gateway."))
            }
            let twins = rivals.filter { !server.credential.isEmpty && $0.credential == server.credential }
            if !twins.isEmpty {
                findings.append(
                    Diagnostic(
                        .warning, code: "IST0138", resource: server.gateway.reference,
                        path: "\(server.path).tls.credentialName",
                        message:
                            "Duplicate certificate in multiple gateways [\(Self.names(twins + [server]))] may cause "
                            + "404s if clients re-use HTTP2 connections.",
                        hint: "Serve all hosts of the certificate in one Gateway."))
            }
        }
        return findings
    }

    private static func names(_ servers: [Server]) -> String {
        Set(servers.map { "\($0.gateway.namespace)/\($0.gateway.name)" }).sorted().joined(separator: ",")
    }

    private static func servers(_ gateway: KubernetesObject) -> [Server] {
        let selector = gateway.json[path: "spec", "selector"]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
        guard !selector.isEmpty else { return [] }
        return gateway.array("spec", "servers").enumerated().map { index, server in
            Server(
                gateway: gateway, selector: selector, port: server[path: "port", "number"]?.intValue ?? 0,
                hosts: server["hosts"]?.arrayValue?.compactMap(\.stringValue) ?? [],
                credential: server[path: "tls", "credentialName"]?.stringValue ?? "", path: "spec.servers[\(index)]")
        }
    }

    /// Hosts of two lists that are the same, for namespaces that both let in.
    private static func common(_ left: [String], _ right: [String]) -> [String] {
        func split(_ text: String) -> (String, String) {
            let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
            return parts.count == 2 ? (parts[0], parts[1]) : ("*", text)
        }
        return left.filter { one in
            let mine = split(one)
            return right.contains { other in
                let theirs = split(other)
                let share = mine.0 == theirs.0 || mine.0 == "*" || theirs.0 == "*"
                return share && mine.1 == theirs.1
            }
        }
    }
}

/// IST0162: a Gateway opens a port that no Service in front of its pods has.
package struct GatewayPortAnalyzer: Analyzer {
    package let name = "gateway.IngressGatewayPortAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("Gateway").flatMap { gateway -> [Diagnostic] in
            let selector = gateway.json[path: "spec", "selector"]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
            guard !selector.isEmpty else { return [] }
            let pods = context.pods(in: nil, selectedBy: selector)
            let ports = context.all("Service").filter { service in
                let own = service.json[path: "spec", "selector"]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
                return !own.isEmpty && pods.contains { pod in own.allSatisfy { pod[$0.key] == $0.value } }
            }.flatMap { $0.array("spec", "ports") }.flatMap { port in
                [port["port"]?.intValue, port["targetPort"]?.intValue].compactMap { $0 }
            }
            guard !ports.isEmpty else { return [] }
            return gateway.array("spec", "servers").enumerated().compactMap { index, server in
                guard let port = server[path: "port", "number"]?.intValue, !ports.contains(port) else { return nil }
                return Diagnostic(
                    .warning, code: "IST0162", resource: gateway.reference, path: "spec.servers[\(index)].port.number",
                    message:
                        "The gateway is listening on a target port (port \(port)) that is not defined in the Service "
                        + "associated with its workload instances (Pod selector \(Self.text(selector))).",
                    hint: "Add the port to the gateway's Service.")
            }
        }
    }

    private static func text(_ selector: [String: String]) -> String {
        selector.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }
}

/// IST0149: a route by claims of a token, where no RequestAuthentication checks tokens.
package struct ClaimRoutingAnalyzer: Analyzer {
    package let name = "virtualservice.JWTClaimRouteAnalyzer"
    private static let prefix = "@request.auth.claims"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("VirtualService").compactMap { object in
            guard let claim = Self.claim(object) else { return nil }
            let gateways = object.strings("spec", "gateways").filter { $0 != "mesh" }
            let pods = gateways.flatMap { reference -> [[String: String]] in
                let parts = reference.split(separator: "/").map(String.init)
                let (space, name) = parts.count == 2 ? (parts[0], parts[1]) : (object.namespace, reference)
                let gateway = context.all("Gateway").first { $0.namespace == space && $0.name == name }
                let selector =
                    gateway?.json[path: "spec", "selector"]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
                return selector.isEmpty ? [] : context.pods(in: nil, selectedBy: selector)
            }
            guard !pods.isEmpty else { return nil }
            let isChecked = context.all("RequestAuthentication").contains { policy in
                guard let selector = policy.podSelector else { return true }
                return pods.contains { pod in selector.allSatisfy { pod[$0.key] == $0.value } }
            }
            guard !isChecked else { return nil }
            return Diagnostic(
                .error, code: "IST0149", resource: object.reference, path: "spec.http",
                message: "The virtual service uses the JWT claim based routing (key: \(claim)) without request "
                    + "authentication for gateways [\(gateways.joined(separator: ","))].",
                hint: "Add a RequestAuthentication for the gateway's pods: without it no request has claims.")
        }
    }

    private static func claim(_ object: KubernetesObject) -> String? {
        for rule in object.array("spec", "http") {
            for match in rule["match"]?.arrayValue ?? [] {
                for fields in ["headers", "withoutHeaders"] {
                    if let key = match[fields]?.objectValue?.keys.sorted().first(where: { $0.hasPrefix(prefix) }) {
                        return key
                    }
                }
            }
        }
        return nil
    }
}

/// IST0137: Services that lead to one port of the same pods as different ports; IST0150: a port of an ExternalName Service
/// whose name says nothing that can be forwarded.
package struct ServicePortAnalyzer: Analyzer {
    package let name = "service.PortConflictAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        let services = context.all("Service").filter {
            $0.json[path: "spec", "selector"]?.objectValue?.isEmpty == false
        }
        let conflicts = context.all("Deployment").flatMap { deployment -> [Diagnostic] in
            let template = deployment.json[path: "spec", "template", "metadata", "labels"]?.objectValue ?? [:]
            let own = services.filter { service in
                let selector = service.json[path: "spec", "selector"]?.objectValue ?? [:]
                return service.namespace == deployment.namespace && selector.allSatisfy { template[$0.key] == $0.value }
            }
            return Self.conflicts(deployment, own)
        }
        return conflicts + context.all("Service").flatMap(Self.external)
    }

    private static func conflicts(_ deployment: KubernetesObject, _ services: [KubernetesObject]) -> [Diagnostic] {
        var byTarget: [String: [(service: String, port: Int)]] = [:]
        for service in services {
            for port in service.array("spec", "ports") {
                guard let number = port["port"]?.intValue else { continue }
                let target = port["targetPort"]?.stringValue ?? String(port["targetPort"]?.intValue ?? number)
                byTarget[target, default: []].append((service.name, number))
            }
        }
        return byTarget.sorted { $0.key < $1.key }.compactMap { target, entries in
            guard Set(entries.map(\.port)).count > 1, Set(entries.map(\.service)).count > 1 else { return nil }
            let names = Set(entries.map(\.service)).sorted().joined(separator: ",")
            return Diagnostic(
                .warning, code: "IST0137", resource: deployment.reference,
                message: "This deployment \(deployment.name) is associated with multiple services [\(names)] using "
                    + "targetPort \(target) but different ports: "
                    + Set(entries.map(\.port)).sorted().map(String.init).joined(separator: ",") + ".",
                hint: "Give the Services one port, or the pods one port for each.")
        }
    }

    private static func external(_ service: KubernetesObject) -> [Diagnostic] {
        guard service.json[path: "spec", "type"]?.stringValue == "ExternalName" else { return [] }
        return service.array("spec", "ports").enumerated().compactMap { index, port in
            let name = port["name"]?.stringValue ?? ""
            guard name.isEmpty || name == "tcp" || name.hasPrefix("tcp-"), port["appProtocol"] == nil else {
                return nil
            }
            return Diagnostic(
                .warning, code: "IST0150", resource: service.reference, path: "spec.ports[\(index)].name",
                message:
                    "Port name for ExternalName service is invalid. Proxy may prevent tcp named ports and unmatched "
                    + "traffic for ports serving TCP protocol from being forwarded correctly",
                hint: "Name it after what is spoken, such as http or https.")
        }
    }
}
