import WeftCore
import WeftIR
import WeftTranslate
import WeftXDS

/// Names a part of a configuration that proxies have in common. With the snapshot it is all that the part is made from:
/// ``make(in:replacing:)`` is a function of these two, so proxies of equal keys cannot differ.
struct ShareKey: Sendable, Hashable {
    enum Part: Sendable, Hashable {
        /// What sidecars send by.
        case outbound(OutboundClass)
        /// What sidecars receive by.
        case inbound(ProxyClass)
        /// Everything of gRPC clients.
        case proxyless(OutboundClass)
        /// The listeners of a gRPC server at an address.
        case proxylessServer(ProxyClass, address: String)
        /// Everything of a gateway.
        case gateway(ProxyClass)
    }
    var part: Part
    var target: Target
    /// Whether the proxy has proved who it is; one that has not gets no keys.
    var maySeeSecrets: Bool

    /// The shares that make up one proxy's configuration.
    static func keys(of session: ProxySession, in snapshot: MeshSnapshot) -> [ShareKey] {
        let proxy = ProxyClass(session.identity, in: snapshot)
        let target = Target(userAgent: session.userAgent)
        let parts: [Part] =
            switch proxy.kind {
            case .sidecar where proxy.metadata["GENERATOR"]?.stringValue == "grpc":
                [
                    .proxyless(OutboundClass(proxy, in: snapshot)),
                    .proxylessServer(proxy, address: session.identity.address),
                ]
            case .sidecar: [.outbound(OutboundClass(proxy, in: snapshot)), .inbound(proxy)]
            case .router: [.gateway(proxy)]
            }
        return parts.map { ShareKey(part: $0, target: target, maySeeSecrets: session.isAuthenticated) }
    }

    func configuration(in snapshot: MeshSnapshot) -> (ProxyConfiguration, [Diagnostic]) {
        let translator = Translator(snapshot)
        var (configuration, diagnostics) =
            switch part {
            case .outbound(let proxies): translator.outbound(for: proxies)
            case .inbound(let proxies): translator.inbound(for: proxies)
            case .proxyless(let proxies): translator.proxyless(for: proxies).everything
            case .proxylessServer(let proxies, let address):
                Self.listeners(translator.inboundInputs(for: proxies).proxylessListeners(at: address))
            case .gateway(let proxies): translator.gateway(for: proxies)
            }
        if !maySeeSecrets { configuration.secrets = [:] }
        return (configuration, diagnostics)
    }

    /// Makes the share. Where nothing differs from `old`, its parts are what comes back.
    func make(in snapshot: MeshSnapshot, number: UInt64, replacing old: Share?) throws -> Share {
        if case .outbound(let proxies) = part {
            let made = try OutboundShare(
                proxies, in: snapshot, target: target, withSecrets: maySeeSecrets, replacing: old?.outbound)
            return Share(
                parts: [made.clusters, made.traffic], outbound: made, diagnostics: made.diagnostics,
                patches: made.patches, number: number)
        }
        if case .inbound(let proxies) = part {
            return try inbound(Translator(snapshot).inboundInputs(for: proxies), number, replacing: old)
        }
        if case .proxyless(let proxies) = part {
            let configuration = Translator(snapshot).proxyless(for: proxies)
            let resources = try Self.encode(configuration, target, replacing: old?.parts.first)
            return Share(
                parts: [resources.isNew ? resources : old?.parts.first ?? resources],
                diagnostics: configuration.diagnostics, number: number)
        }
        if case .proxylessServer(let proxies, let address) = part {
            return try server(Translator(snapshot).inboundInputs(for: proxies), address, number, replacing: old)
        }
        let (configuration, diagnostics) = configuration(in: snapshot)
        let resources = try ResourceShare(configuration, target: target, replacing: old?.parts.first)
        let kept = resources.isNew ? resources : old?.parts.first ?? resources
        return Share(
            parts: [kept], diagnostics: diagnostics + resources.patchReport.diagnostics,
            patches: [resources.patchReport], number: number)
    }

    /// Made from its inputs alone; the same inputs, the same share (ADR 0034).
    private func inbound(_ inputs: InboundInputs, _ number: UInt64, replacing old: Share?) throws
        -> Share
    {
        if var old, old.inbound == inputs {
            old.number = number
            return old
        }
        var (configuration, diagnostics) = inputs.configuration()
        if !maySeeSecrets { configuration.secrets = [:] }
        let resources = try ResourceShare(configuration, target: target, replacing: old?.parts.first)
        let kept = resources.isNew ? resources : old?.parts.first ?? resources
        return Share(
            parts: [kept], inbound: inputs, diagnostics: diagnostics + resources.patchReport.diagnostics,
            patches: [resources.patchReport], number: number)
    }

    /// As ``inbound(_:_:replacing:)``, of a server that is its own proxy.
    private func server(_ inputs: InboundInputs, _ address: String, _ number: UInt64, replacing old: Share?) throws
        -> Share
    {
        if var old, old.inbound == inputs {
            old.number = number
            return old
        }
        let encoder = XDSEncoder(target: target)
        let (listeners, diagnostics) = inputs.proxylessListeners(at: address)
        var encoded: [String: EncodedResource] = [:]
        for listener in listeners {
            encoded[listener.name] = EncodedResource(any: try encoder.encodeProxyless(listener))
        }
        let resources = ResourceShare(resources: [.listener: encoded], replacing: old?.parts.first)
        let kept = resources.isNew ? resources : old?.parts.first ?? resources
        return Share(parts: [kept], inbound: inputs, diagnostics: diagnostics, number: number)
    }

    private static func listeners(_ made: ([Listener], [Diagnostic])) -> (ProxyConfiguration, [Diagnostic]) {
        var configuration = ProxyConfiguration()
        for listener in made.0 { configuration.listeners[listener.name] = listener }
        return (configuration, made.1)
    }

    private static func encode(
        _ configuration: ProxylessConfiguration, _ target: Target, replacing old: ResourceShare?
    ) throws -> ResourceShare {
        let encoder = XDSEncoder(target: target)
        let plain = try ResourceShare(configuration.resources, target: target)
        var resources = plain.resources
        for (name, cluster) in configuration.resources.clusters where cluster.tls != nil {
            resources[.cluster]?[name] = EncodedResource(any: try encoder.encodeProxyless(cluster))
        }
        for (name, routes) in configuration.routesOfListener {
            resources[.listener, default: [:]][name] = EncodedResource(
                any: try encoder.encodeAPIListener(name: name, routes: routes))
        }
        return ResourceShare(
            resources: resources, assignmentOfCluster: plain.assignmentOfCluster, replacing: old)
    }
}

/// A part of a configuration, made and encoded.
struct Share: Sendable {
    var parts: [ResourceShare]
    /// What the next one is made from, for senders.
    var outbound: OutboundShare?
    /// What it was made from, for receivers.
    var inbound: InboundInputs?
    /// What translation found.
    var diagnostics: [Diagnostic]
    /// What became of users' patches, in each piece that was encoded by itself.
    var patches: [PatchReport] = []
    /// Of the newest snapshot that it is right for.
    var number: UInt64
}
