package import WeftConfig
package import WeftCore

/// Why an installation's settings are refused; the message names the setting.
package struct InstallError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

/// A named set of components.
package enum InstallProfile: String, Sendable, Hashable, CaseIterable {
    /// Control plane and ingress gateway.
    case `default`
    /// As default, with an egress gateway and access logs on standard output.
    case demo
    /// The control plane alone.
    case minimal
    /// Nothing but the namespace and the custom kinds.
    case empty
}

/// What to install: a profile, and the user's settings over it (`--set path=value`).
package struct InstallSettings: Sendable, Hashable {
    package var profile = InstallProfile.default
    package var revision = "default"
    package var namespace = "istio-system"
    package var mesh = MeshIdentity()
    package var proxyImage = "weft/proxy"
    package var controlPlaneImage = "weft/weftd"
    package var ingressGateway = true
    package var egressGateway = false
    /// Over the profile's MeshConfig, member by member.
    package var meshConfig: JSONValue = .object([:])
    /// Helm values as users give them (`values.…`), kept as they came for tools that read them.
    package var values: JSONValue = .object([:])

    package init(profile: InstallProfile = .default) {
        self.profile = profile
        ingressGateway = profile == .default || profile == .demo
        egressGateway = profile == .demo
    }

    /// - Parameter assignments: `profile=demo`, `meshConfig.accessLogFile=/dev/stdout`, `values.global.proxy.logLevel=debug`,
    ///   `components.egressGateways[0].enabled=true`, `revision=canary`. Later ones win; the profile goes first.
    package init(assignments: [String]) throws(InstallError) {
        let pairs = try assignments.map(Self.split)
        var profile = InstallProfile.default
        for (path, value) in pairs where path == "profile" {
            guard let named = InstallProfile(rawValue: value) else {
                let known = InstallProfile.allCases.map(\.rawValue).joined(separator: ", ")
                throw InstallError("unknown profile \"\(value)\": use one of \(known)")
            }
            profile = named
        }
        self.init(profile: profile)
        for (path, value) in pairs where path != "profile" { try set(path, to: value) }
    }

    private static func split(_ assignment: String) throws(InstallError) -> (String, String) {
        guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else {
            throw InstallError("\"\(assignment)\" is not of the form path=value")
        }
        return (String(assignment[..<equals]), String(assignment[assignment.index(after: equals)...]))
    }

    private mutating func set(_ path: String, to value: String) throws(InstallError) {
        let parts = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !parts.contains("") else { throw InstallError("\"\(path)\" has an empty part") }
        switch parts[0] {
        case "revision" where parts.count == 1: revision = value
        case "namespace" where parts.count == 1: namespace = value
        case "meshConfig" where parts.count > 1: setMeshConfig(parts.dropFirst(), value)
        case "values" where parts.count > 1: try setValue(parts.dropFirst(), value)
        case "components" where parts.count == 3 && parts[2] == "enabled": try setComponent(parts[1], value)
        default:
            throw InstallError(
                "unknown setting \"\(path)\": use profile, revision, meshConfig.…, values.… or components.NAME.enabled")
        }
    }

    private mutating func setValue(_ path: ArraySlice<String>, _ value: String) throws(InstallError) {
        values[path: path] = Self.scalar(value)
        switch path.joined(separator: ".") {
        case "global.proxy.image": proxyImage = value
        case "pilot.image": controlPlaneImage = value
        case "global.proxy.clusterDomain": mesh.clusterDomain = value
        case "global.multiCluster.clusterName": mesh.clusterID = value
        case "gateways.istio-ingressgateway.enabled":
            ingressGateway = try Self.flag("values." + path.joined(separator: "."), value)
        case "gateways.istio-egressgateway.enabled":
            egressGateway = try Self.flag("values." + path.joined(separator: "."), value)
        default:
            if path.first == "meshConfig", path.count > 1 { setMeshConfig(path.dropFirst(), value) }
        }
    }

    private mutating func setMeshConfig(_ path: ArraySlice<String>, _ value: String) {
        meshConfig[path: path] = Self.scalar(value)
        mesh.apply(meshConfig: meshConfig)
    }

    private mutating func setComponent(_ name: String, _ value: String) throws(InstallError) {
        let enabled = try Self.flag("components.\(name).enabled", value)
        switch name {
        case "ingressGateways", "ingressGateways[0]", "ingressGateway": ingressGateway = enabled
        case "egressGateways", "egressGateways[0]", "egressGateway": egressGateway = enabled
        default: throw InstallError("unknown component \"\(name)\": use ingressGateways[0] or egressGateways[0]")
        }
    }

    private static func flag(_ path: String, _ value: String) throws(InstallError) -> Bool {
        guard let flag = Bool(value) else { throw InstallError("\(path) takes true or false, not \"\(value)\"") }
        return flag
    }

    /// Numbers and booleans keep their type, as `--set` does.
    private static func scalar(_ text: String) -> JSONValue {
        if let number = Int64(text) { return .int(number) }
        if let flag = Bool(text) { return .bool(flag) }
        return .string(text)
    }

    // MARK: Derived

    var isDefaultRevision: Bool { revision == "default" }
    var suffix: String { isDefaultRevision ? "" : "-\(revision)" }
    var istiodName: String { "istiod\(suffix)" }

    /// MeshConfig as the ConfigMap `istio` holds it.
    package var effectiveMeshConfig: JSONValue {
        var base: JSONValue = [
            "defaultConfig": ["discoveryAddress": .string("\(istiodName).\(namespace).svc:15012")],
            "defaultProviders": ["metrics": ["prometheus"]], "enablePrometheusMerge": true,
            "rootNamespace": .string(namespace), "trustDomain": .string(mesh.trustDomain),
        ]
        if profile == .demo {
            base["accessLogFile"] = "/dev/stdout"
            // Who tries it out wants to see the request just made.
            base[path: "defaultConfig", "tracing", "sampling"] = 100
        }
        // A collector of the user's own, in the older way, is not passed over for weftd's.
        if meshConfig[path: "defaultConfig", "tracing"] == nil {
            base[path: "defaultProviders", "tracing"] = [.string(ExtensionProvider.weft)]
        }
        return Self.merge(base, meshConfig)
    }

    private static func merge(_ base: JSONValue, _ over: JSONValue) -> JSONValue {
        guard let old = base.objectValue, let new = over.objectValue else { return over }
        return .object(old.merging(new) { merge($0, $1) })
    }
}
