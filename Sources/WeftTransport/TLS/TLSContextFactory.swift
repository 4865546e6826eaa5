import CWeftTLS
import Crypto
package import NIOSSL
package import WeftIR

/// Why a TLS configuration could not be built, naming the secret.
package struct TLSContextError: Error, CustomStringConvertible {
    package var description: String
    /// True when only a secret is missing: the chain waits for it (Envoy: warming).
    package var isMissingSecret: Bool
}

/// Builds NIOSSL contexts from configuration and secrets. Built once per snapshot, shared by all connections.
package struct TLSContextFactory: Sendable {
    private let secret: @Sendable (SecretReference) -> Secret.Content?

    package init(secret: @escaping @Sendable (SecretReference) -> Secret.Content?) { self.secret = secret }

    package func server(_ tls: DownstreamTLS) throws -> NIOSSLContext {
        guard let reference = tls.common.certificates.first else { throw broken("no certificate is configured") }
        let (chain, key) = try identity(reference)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        let mode = try verification(tls.common)
        configuration.certificateVerification =
            tls.requireClientCertificate
            ? .noHostnameVerification : mode.isAsked ? .optionalVerification : .none
        try apply(tls.common, mode, to: &configuration)
        let context = try NIOSSLContext(configuration: configuration)
        var settings = ContextSettings(tls.common, mode)
        settings.acceptsUntrusted = settings.acceptsUntrusted || (tls.requireClientCertificate && !mode.isAsked)
        if settings.parameters.cipherSuites.isEmpty { settings.parameters.cipherSuites = Self.serverCipherSuites }
        try settings.apply(to: context)
        try configureServer(context, tls, mode)
        return context
    }

    /// What servers offer for TLS 1.2 when nothing is said, as Envoy: AES-128 and ChaCha20 as the client likes it best.
    private static let serverCipherSuites = [
        "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
        "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    ]

    package func client(_ tls: UpstreamTLS) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let reference = tls.common.certificates.first {
            let (chain, key) = try identity(reference)
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(key)
        }
        let mode = try verification(tls.common)
        // The host name is not what is verified: SANs are matched after the handshake, as the configuration says.
        configuration.certificateVerification = mode.isAsked ? .noHostnameVerification : .none
        try apply(tls.common, mode, to: &configuration)
        let context = try NIOSSLContext(configuration: configuration)
        try ContextSettings(tls.common, mode).apply(to: context)
        if tls.maximumSessions > 0 {
            try context.withBoringSSL { _ = weft_tls_keep_client_sessions($0, Int(tls.maximumSessions)) }
        }
        return context
    }

    /// What a peer's certificate must be, apart from its chain: the rules where TLS is configured and those of the secret.
    package func rules(_ common: CommonTLS) -> ValidationRules {
        guard let reference = common.validation, case .validation(_, _, let more)? = secret(reference) else {
            return common.rules
        }
        return common.rules.merging(more)
    }

    /// The URI names of the certificate that a server shows first, for `x-forwarded-client-cert`.
    package func ownNames(_ tls: DownstreamTLS) -> [String] {
        guard let reference = tls.common.certificates.first, let leaf = try? identity(reference).0.first else {
            return []
        }
        return PeerIdentity(leaf).uriNames
    }

    private func apply(_ common: CommonTLS, _ mode: Verification, to configuration: inout TLSConfiguration) throws {
        configuration.minimumTLSVersion = version(common.minimumVersion) ?? .tlsv12
        configuration.maximumTLSVersion = version(common.maximumVersion)
        configuration.applicationProtocols = common.alpnProtocols
        configuration.trustRoots = .certificates(mode.roots)
    }

    /// How the peer's chain is verified.
    private struct Verification {
        /// Whether a certificate is asked for.
        var isAsked = false
        var roots: [NIOSSLCertificate] = []
        var revocationsPEM: String?
        var rules = ValidationRules()
        /// What sessions depend on: those of other rules are not resumed.
        var fingerprint: [UInt8] = []
    }

    private func verification(_ common: CommonTLS) throws -> Verification {
        var mode = Verification()
        mode.rules = rules(common)
        mode.isAsked = mode.rules.hasPins
        var text = ""
        if let reference = common.validation {
            guard case .validation(let pem, let revocations, _)? = secret(reference) else { throw missing(reference) }
            mode.isAsked = true
            mode.roots = try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8))
            mode.revocationsPEM = revocations
            text = pem + (revocations ?? "")
        }
        text += "\(mode.rules)"
        mode.fingerprint = Array(SHA256.hash(data: Array(text.utf8)))
        return mode
    }

    private func configureServer(_ context: NIOSSLContext, _ tls: DownstreamTLS, _ mode: Verification) throws {
        let keys = try tls.ticketKeys.map { keys -> [UInt8] in
            guard case .ticketKeys(let keys)? = secret(keys) else { throw missing(keys) }
            return keys.flatMap(\.bytes)
        }
        let certificates = tls.common.certificates.count > 1 ? tls.common.certificates : []
        try context.withBoringSSL { raw in
            _ = unsafe weft_tls_set_session_context(raw, mode.fingerprint, mode.fingerprint.count)
            weft_tls_prefer_own_suites(raw)
            if tls.disablesTickets { weft_tls_disable_tickets(raw) }
            if tls.disablesSessionCache { weft_tls_disable_session_cache(raw) }
            if let seconds = tls.sessionTimeoutSeconds { weft_tls_set_session_timeout(raw, seconds) }
            if let keys, unsafe weft_tls_set_ticket_keys(raw, keys, keys.count / 80) == 0 {
                throw broken("session_ticket_keys cannot be used")
            }
            if tls.requiresServerName { weft_tls_require_server_name(raw) }
            for reference in certificates {
                guard case .certificate(let pem, let key)? = secret(reference) else { throw missing(reference) }
                let chain = Array(pem.utf8)
                guard unsafe weft_tls_add_certificate(raw, chain, chain.count, key.bytes, key.bytes.count) == 1 else {
                    throw broken("secret \(reference.name): the certificate and its key do not fit together")
                }
            }
        }
    }

    private func identity(_ reference: SecretReference) throws -> ([NIOSSLCertificate], NIOSSLPrivateKey) {
        guard case .certificate(let pem, let key)? = secret(reference) else { throw missing(reference) }
        return (
            try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8)), try NIOSSLPrivateKey(bytes: key.bytes, format: .pem)
        )
    }

    private func missing(_ reference: SecretReference) -> TLSContextError {
        TLSContextError(description: "secret \(reference.name) is not there", isMissingSecret: true)
    }

    private func broken(_ reason: String) -> TLSContextError {
        TLSContextError(description: reason, isMissingSecret: false)
    }

    private func version(_ version: WeftIR.TLSVersion) -> NIOSSL.TLSVersion? {
        switch version {
        case .auto: nil
        case .v1_0: .tlsv1
        case .v1_1: .tlsv11
        case .v1_2: .tlsv12
        case .v1_3: .tlsv13
        }
    }

    /// What both sides set on BoringSSL's context itself (ADR 0028).
    private struct ContextSettings {
        var parameters: CommonTLS
        var revocationsPEM: String?
        var rules: ValidationRules
        var acceptsUntrusted: Bool

        init(_ common: CommonTLS, _ mode: Verification) {
            parameters = common
            revocationsPEM = mode.revocationsPEM
            rules = mode.rules
            // Pins alone are verification enough; then no chain is built.
            acceptsUntrusted = mode.rules.acceptsUntrusted || (mode.roots.isEmpty && mode.rules.hasPins)
        }

        private var isDefault: Bool {
            parameters.cipherSuites.isEmpty && parameters.curves.isEmpty && parameters.signatureAlgorithms.isEmpty
                && revocationsPEM == nil && !acceptsUntrusted && !rules.allowsExpired && rules.maximumDepth == nil
        }

        func apply(to context: NIOSSLContext) throws {
            if isDefault { return }
            try context.withBoringSSL { raw in
                try set("cipher_suites", parameters.cipherSuites) { unsafe weft_tls_set_cipher_suites(raw, $0) }
                try set("ecdh_curves", parameters.curves) { unsafe weft_tls_set_groups(raw, $0) }
                try set("signature_algorithms", parameters.signatureAlgorithms) {
                    unsafe weft_tls_set_signature_algorithms(raw, $0)
                }
                weft_tls_set_verification(
                    raw, rules.maximumDepth.map { CInt(clamping: $0) } ?? -1, rules.allowsExpired ? 1 : 0,
                    acceptsUntrusted ? 1 : 0)
                guard let revocationsPEM else { return }
                let bytes = Array(revocationsPEM.utf8)
                let leafOnly: CInt = rules.revokesLeafAlone ? 1 : 0
                guard unsafe weft_tls_add_revocation_lists(raw, bytes, bytes.count, leafOnly) == 1 else {
                    throw TLSContextError(description: "crl is no list of PEM X509 CRLs", isMissingSecret: false)
                }
            }
        }

        private func set(_ field: String, _ values: [String], _ call: (String) -> CInt) throws {
            guard !values.isEmpty, call(values.joined(separator: ":")) == 0 else { return }
            throw TLSContextError(
                description: "tls_params.\(field): \(values.joined(separator: ", ")) cannot be used",
                isMissingSecret: false)
        }
    }
}

extension NIOSSLContext {
    /// Lends BoringSSL's context. NIOSSL keeps it private; it is found by reflection, and whoever needs it is refused if
    /// a later NIOSSL has none under this name.
    package func withBoringSSL<Result>(_ body: (UnsafeMutableRawPointer) throws -> Result) throws -> Result {
        for child in Swift.Mirror(reflecting: self).children where child.label == "sslContext" {
            guard let pointer = child.value as? OpaquePointer else { break }
            return try body(UnsafeMutableRawPointer(pointer))
        }
        throw TLSContextError(
            description: "this version of NIOSSL does not give access to the settings that are asked for",
            isMissingSecret: false)
    }
}
