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
            case .gateway(let proxies): translator.gateway(for: proxies)
            }
        if !maySeeSecrets { configuration.secrets = [:] }
        return (configuration, diagnostics)
    }

    /// Makes the share. Where nothing differs from `old`, that is what comes back.
    func make(in snapshot: MeshSnapshot, number: UInt64, replacing old: Share?) throws -> Share {
        let (configuration, diagnostics) = configuration(in: snapshot)
        let resources = try ResourceShare(configuration, target: target, replacing: old?.resources)
        let kept = resources.isNew ? resources : old?.resources ?? resources
        let all = diagnostics + resources.patchReport.diagnostics
        return Share(resources: kept, diagnostics: all, patches: resources.patchReport, number: number)
    }
}

/// A part of a configuration, made and encoded.
struct Share: Sendable {
    var resources: ResourceShare
    /// What translation found.
    var diagnostics: [Diagnostic]
    /// What became of users' patches.
    var patches = PatchReport()
    /// Of the newest snapshot that it is right for.
    var number: UInt64
}
