import FoundationEssentials
import NIOSSL
import WeftConfig
package import WeftCore

/// A kubeconfig document: clusters, users and contexts by name.
package struct Kubeconfig: Sendable {
    package var json: JSONValue
    /// Relative file names in the document start here.
    package var directory: String

    package init(json: JSONValue, directory: String = ".") {
        self.json = json
        self.directory = directory
    }

    /// Reads a kubeconfig file, in YAML or JSON.
    package init(path: String) throws {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw KubernetesConfigurationError("cannot read the kubeconfig \(path)")
        }
        let end = path.lastIndex(of: "/")
        self.init(json: try YAMLReader.value(in: text, file: path), directory: end.map { String(path[..<$0]) } ?? ".")
    }

    /// A configuration for one context; the current one when `nil`.
    package func configuration(context name: String? = nil) throws -> KubernetesConfiguration {
        guard let name = name ?? json["current-context"]?.stringValue, !name.isEmpty else {
            throw KubernetesConfigurationError("the kubeconfig names no current-context")
        }
        guard let context = entry("contexts", "context", name) else {
            throw KubernetesConfigurationError("the kubeconfig has no context \"\(name)\"")
        }
        let clusterName = context["cluster"]?.stringValue ?? ""
        guard let cluster = entry("clusters", "cluster", clusterName), let server = cluster["server"]?.stringValue
        else {
            throw KubernetesConfigurationError("the kubeconfig has no cluster \"\(clusterName)\" with a server")
        }
        let user = entry("users", "user", context["user"]?.stringValue ?? "") ?? [:]
        return KubernetesConfiguration(
            server: server, tls: try tls(cluster: cluster, user: user), credential: credential(of: user),
            namespace: context["namespace"]?.stringValue ?? "default")
    }

    private func tls(cluster: JSONValue, user: JSONValue) throws -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let authority = try bytes(cluster, "certificate-authority") {
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authority))
        }
        if cluster["insecure-skip-tls-verify"]?.boolValue == true { tls.certificateVerification = .none }
        if let chain = try bytes(user, "client-certificate"), let key = try bytes(user, "client-key") {
            tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(chain).map { .certificate($0) }
            tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
        }
        return tls
    }

    private func credential(of user: JSONValue) -> KubernetesConfiguration.Credential {
        if let token = user["token"]?.stringValue { return .token(token) }
        if let file = user["tokenFile"]?.stringValue { return .tokenFile(resolve(file)) }
        return .none
    }

    private func entry(_ list: String, _ member: String, _ name: String) -> JSONValue? {
        json[list]?.arrayValue?.first { $0["name"]?.stringValue == name }?[member]
    }

    /// The bytes of `key-data` (base64, inline) or of the file that `key` names.
    private func bytes(_ object: JSONValue, _ key: String) throws -> [UInt8]? {
        if let text = object["\(key)-data"]?.stringValue {
            guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters) else {
                throw KubernetesConfigurationError("\(key)-data in the kubeconfig is not base64")
            }
            return [UInt8](data)
        }
        guard let file = object[key]?.stringValue else { return nil }
        guard let data = try? Data(contentsOf: URL(filePath: resolve(file))) else {
            throw KubernetesConfigurationError("cannot read \(resolve(file)), named as \(key) in the kubeconfig")
        }
        return [UInt8](data)
    }

    private func resolve(_ file: String) -> String { file.hasPrefix("/") ? file : "\(directory)/\(file)" }
}
