import FoundationEssentials
import WeftIR
import WeftXDS
import WeftYAML

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reads the secrets that a configuration gives by file, by environment variable, or where they are used.
///
/// Owned by the configuration side. Remembers which files it has read and what they were, so that a replaced one is
/// seen (``hasChanged``).
struct SecretFileReader {
    private struct Unreadable: Error, CustomStringConvertible { var description: String }

    /// What was read, by path; empty when it could not be. Secrets are small, so their bytes are what is compared.
    private var contents: [String: Data] = [:]

    /// What is to be watched.
    var paths: Set<String> { Set(contents.keys) }

    /// True if a file that the last ``resolve(_:)`` read is not what it was.
    var hasChanged: Bool { contents.contains { Self.data($0.key) ?? Data() != $0.value } }

    /// - Returns: The configuration with every such secret among its `secrets`, and what could not be read.
    mutating func resolve(_ configuration: ProxyConfiguration) -> (ProxyConfiguration, [String]) {
        contents = [:]
        var problems: [String] = []
        var result = configuration
        for (name, secret) in configuration.secrets {
            load(secret.content, as: name, for: "secret \(name)", into: &result, &problems)
        }
        let secured = configuration.clusters.filter { $0.value.tls != nil || !$0.value.transportSocketMatches.isEmpty }
        for name in secured.keys.sorted() {
            let owner = "cluster \(name)"
            if let tls = configuration.clusters[name]?.tls {
                let common = resolve(tls.common, owner, &result, &problems)
                result.clusters[name]?.tls?.common = common
            }
            for (index, match) in (configuration.clusters[name]?.transportSocketMatches ?? []).enumerated() {
                guard let tls = match.tls else { continue }
                let common = resolve(tls.common, "\(owner), match \(match.name)", &result, &problems)
                result.clusters[name]?.transportSocketMatches[index].tls?.common = common
            }
        }
        for (name, listener) in configuration.listeners {
            for (index, chain) in listener.filterChains.enumerated() {
                guard let tls = chain.tls else { continue }
                let owner = "listener \(name), chain \(index)"
                let common = resolve(tls.common, owner, &result, &problems)
                result.listeners[name]?.filterChains[index].tls?.common = common
                let keys = tls.ticketKeys.map { resolve($0, "\(owner), ticket keys", &result, &problems) }
                result.listeners[name]?.filterChains[index].tls?.ticketKeys = keys
            }
            if let tls = listener.defaultFilterChain?.tls {
                let owner = "listener \(name), default chain"
                let common = resolve(tls.common, owner, &result, &problems)
                result.listeners[name]?.defaultFilterChain?.tls?.common = common
                let keys = tls.ticketKeys.map { resolve($0, "\(owner), ticket keys", &result, &problems) }
                result.listeners[name]?.defaultFilterChain?.tls?.ticketKeys = keys
            }
        }
        return (result, problems)
    }

    private mutating func resolve(
        _ tls: CommonTLS, _ owner: String, _ all: inout ProxyConfiguration, _ problems: inout [String]
    ) -> CommonTLS {
        var tls = tls
        for (index, reference) in tls.certificates.enumerated() {
            tls.certificates[index] = resolve(reference, "\(owner), certificate \(index)", &all, &problems)
        }
        if let reference = tls.validation {
            tls.validation = resolve(reference, "\(owner), \(reference.name)", &all, &problems)
        }
        return tls
    }

    /// Gives an inline secret a name of its own, and reads one that comes by path.
    private mutating func resolve(
        _ reference: SecretReference, _ owner: String, _ all: inout ProxyConfiguration, _ problems: inout [String]
    ) -> SecretReference {
        switch reference.source {
        case .ads, .workload, .bootstrap: return reference
        case .inline(let content):
            load(content, as: owner, for: owner, into: &all, &problems)
            return SecretReference(name: owner, source: .bootstrap)
        case .path(let path):
            do {
                let results = try resources(at: path)
                let secrets = results.compactMap { result -> Secret? in
                    if case .secret(let secret) = result.value { secret } else { nil }
                }
                // As Envoy: a file with one secret may call it what it likes.
                guard let secret = secrets.first(where: { $0.name == reference.name }) ?? secrets.first else {
                    throw Unreadable(description: "\(path) holds no secret \(reference.name)")
                }
                load(secret.content, as: reference.name, for: owner, into: &all, &problems)
            } catch { problems.append("\(owner): \(error)") }
            return reference
        }
    }

    private mutating func load(
        _ content: Secret.Content, as name: String, for owner: String, into all: inout ProxyConfiguration,
        _ problems: inout [String]
    ) {
        do {
            all.secrets[name] = Secret(name: name, content: try loaded(content))
        } catch {
            all.secrets[name] = nil
            problems.append("\(owner): \(error)")
        }
    }

    private mutating func loaded(_ content: Secret.Content) throws -> Secret.Content {
        switch content {
        case .certificate, .validation, .ticketKeys: content
        case .certificateFrom(let chain, let key):
            .certificate(
                chainPEM: String(decoding: try bytes(of: chain), as: UTF8.self),
                privateKey: PrivateBytes(try bytes(of: key)))
        case .validationFrom(let authority, let revocations, let rules):
            .validation(
                trustedCAPEM: String(decoding: try bytes(of: authority), as: UTF8.self),
                revocationsPEM: try revocations.map { String(decoding: try bytes(of: $0), as: UTF8.self) }, rules: rules
            )
        case .ticketKeysFrom(let sources): .ticketKeys(try sources.map { PrivateBytes(try bytes(of: $0)) })
        }
    }

    private mutating func bytes(of source: WeftIR.DataSource) throws -> [UInt8] {
        switch source {
        case .inline(let bytes): return bytes.bytes
        case .file(let path): return [UInt8](try read(path))
        case .environment(let name):
            guard let text = ProcessInfo.processInfo.environment[name] else {
                throw Unreadable(description: "environment variable \(name) is not set")
            }
            return Array(text.utf8)
        }
    }

    private mutating func resources(at path: String) throws -> [XDSDecoder.Result] {
        let text = String(decoding: try read(path), as: UTF8.self)
        do {
            return try ResourceFile.decode(try YAMLReader.value(in: text, file: path))
        } catch let failure as BootstrapDecoder.Failure {
            throw Unreadable(description: "\(path): \(failure.problems.map(\.description).joined(separator: "; "))")
        }
    }

    private mutating func read(_ path: String) throws -> Data {
        let data = Self.data(path)
        contents[path] = data ?? Data()
        guard let data else {
            throw Unreadable(description: "\(path) cannot be read: \(unsafe String(cString: strerror(errno)))")
        }
        return data
    }

    private static func data(_ path: String) -> Data? { try? Data(contentsOf: URL(filePath: path)) }
}
