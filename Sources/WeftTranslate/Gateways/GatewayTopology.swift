import WeftConfig
import WeftCore
import WeftIR

/// What stands before a gateway (`gatewayTopology` of the proxy's configuration, else of the mesh's `defaultConfig`): how many
/// proxies may say whom a request comes from, and what of the callers' certificates goes on.
struct GatewayTopology {
    private let settings: JSONValue?

    init(scope: Scope) {
        settings = scope.proxy.metadata[Self.key] ?? scope.mesh.defaultConfig?["gatewayTopology"]
    }

    /// Under which a class of proxies has its own settings.
    static let key = "gatewayTopology"

    /// What a proxy's pod says (annotation `proxy.istio.io/config`), or the configuration that it started with.
    static func own(of metadata: JSONValue) -> JSONValue? {
        let text = metadata["ANNOTATIONS"]?["proxy.istio.io/config"]?.stringValue
        let annotated = text.flatMap { try? YAMLReader.value(in: $0) }
        return annotated?["gatewayTopology"] ?? metadata["PROXY_CONFIG"]?["gatewayTopology"]
    }

    /// `remote.ip` is the address that the outermost of the trusted proxies has written into `x-forwarded-for`.
    func apply(to manager: inout HTTPConnectionManager) {
        manager.xffNumTrustedHops = UInt32(clamping: settings?["numTrustedProxies"]?.intValue ?? 0)
        if let mode = forwardClientCert { manager.forwardClientCert = mode }
    }

    /// With `proxyProtocol` every connection begins with a header, and `remote.ip` is the address in it.
    func apply(to listener: inout Listener) {
        let hasHeader = settings?["proxyProtocol"]?.objectValue != nil
        let isTLS = listener.filterChains.contains { $0.match.transportProtocol == "tls" }
        listener.listenerFilters =
            (hasHeader ? [.proxyProtocol(ProxyProtocolFilter())] : []) + (isTLS ? [.tlsInspector] : [])
    }

    /// `nil` for UNDEFINED, which is the gateway's own way.
    private var forwardClientCert: HTTPConnectionManager.ForwardClientCert? {
        switch settings?["forwardClientCertDetails"]?.stringValue {
        case "SANITIZE": .sanitize
        case "FORWARD_ONLY": .forwardOnly
        case "APPEND_FORWARD": .appendForward
        case "SANITIZE_SET": .sanitizeSet
        case "ALWAYS_FORWARD_ONLY": .alwaysForwardOnly
        default: nil
        }
    }
}
