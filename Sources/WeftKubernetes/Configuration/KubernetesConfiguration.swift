import FoundationEssentials
package import NIOSSL

/// Where an API server is and how to prove who we are.
package struct KubernetesConfiguration: Sendable {
    /// How requests authenticate, besides a client certificate in ``tls``.
    package enum Credential: Sendable, Hashable {
        case none
        case token(String)
        /// A file that is replaced while we run, as projected service-account tokens are.
        case tokenFile(String)
    }

    /// Scheme, host and port, without a trailing slash: `https://127.0.0.1:16443`.
    package var server: String
    package var tls: TLSConfiguration
    package var credential: Credential
    /// The namespace that commands use when none is given.
    package var namespace: String

    package init(
        server: String, tls: TLSConfiguration = .makeClientConfiguration(), credential: Credential = .none,
        namespace: String = "default"
    ) {
        self.server = server.hasSuffix("/") ? String(server.dropLast()) : server
        self.tls = tls
        self.credential = credential
        self.namespace = namespace
    }
}

/// Why no configuration could be made; says what to do.
package struct KubernetesConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

extension KubernetesConfiguration {
    /// The configuration of a pod: its service account's files and environment.
    package static func inCluster(
        environment: [String: String],
        directory: String = "/var/run/secrets/kubernetes.io/serviceaccount"
    ) throws -> KubernetesConfiguration {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"]
        else {
            throw KubernetesConfigurationError(
                "not running in a pod: KUBERNETES_SERVICE_HOST or _PORT is not set. Give --kubeconfig."
            )
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile("\(directory)/ca.crt"))
        let namespace = (try? String(contentsOfFile: "\(directory)/namespace", encoding: .utf8)) ?? "default"
        let authority = host.contains(":") ? "[\(host)]" : host
        return KubernetesConfiguration(
            server: "https://\(authority):\(port)", tls: tls, credential: .tokenFile("\(directory)/token"),
            namespace: String(namespace.filter { !$0.isWhitespace }))
    }

    /// The first that applies: an explicit kubeconfig, `KUBECONFIG`, the pod's service account, `~/.kube/config`.
    package static func standard(
        kubeconfig: String? = nil, context: String? = nil, environment: [String: String]
    ) throws -> KubernetesConfiguration {
        let listed = environment["KUBECONFIG"]?.split(separator: ":").map(String.init) ?? []
        if let path = kubeconfig ?? listed.first(where: { FileManager.default.fileExists(atPath: $0) }) {
            return try Kubeconfig(path: path).configuration(context: context)
        }
        if environment["KUBERNETES_SERVICE_HOST"] != nil { return try inCluster(environment: environment) }
        let path = (environment["HOME"] ?? "/root") + "/.kube/config"
        guard FileManager.default.fileExists(atPath: path) else {
            throw KubernetesConfigurationError(
                "no Kubernetes configuration: set KUBECONFIG or pass --kubeconfig (weft up writes one)."
            )
        }
        return try Kubeconfig(path: path).configuration(context: context)
    }
}
