/// A TLS protocol version, named as its number is written.
// swift-format-ignore: AlwaysUseLowerCamelCase
package enum TLSVersion: String, Sendable, Hashable, Codable { case auto, v1_0, v1_1, v1_2, v1_3 }

/// A secret by name, and where it is to be had.
package struct SecretReference: Sendable, Hashable, Codable {
    package enum Source: Sendable, Hashable, Codable {
        /// On the ADS stream.
        case ads
        /// From the proxy's own agent: workload certificates and trust bundles never travel from the control plane.
        case workload
        /// A file in xDS form (`path_config_source`).
        case path(String)
        /// Among the bootstrap's static secrets.
        case bootstrap
        /// Given where it is used (`tls_certificates`, `validation_context.trusted_ca`); the name says where.
        indirect case inline(Secret.Content)
    }
    package var name: String
    package var source: Source
    package init(name: String, source: Source) {
        self.name = name
        self.source = source
    }
    /// The workload's certificate and key.
    package static let workloadCertificate = SecretReference(name: "default", source: .workload)
    /// The mesh's trust bundle.
    package static let workloadTrustBundle = SecretReference(name: "ROOTCA", source: .workload)
}

/// What both sides of TLS share (`CommonTlsContext`).
package struct CommonTLS: Sendable, Hashable, Codable {
    package var certificates: [SecretReference] = []
    /// `nil`: the peer's certificate is not verified.
    package var validation: SecretReference?
    /// What the peer's certificate must be, besides what ``validation`` says.
    package var rules = ValidationRules()
    /// The peer must present one of these names; empty: any that chains to the bundle.
    package var subjectAltNames: [SubjectAltNameMatcher] {
        get { rules.subjectAltNames }
        set { rules.subjectAltNames = newValue }
    }
    package var alpnProtocols: [String] = []
    package var minimumVersion = TLSVersion.auto
    package var maximumVersion = TLSVersion.auto
    /// For TLS 1.2, in BoringSSL's notation.
    package var cipherSuites: [String] = []
    package var curves: [String] = []
    package var signatureAlgorithms: [String] = []
    package init() {}
}

/// One name that a peer's certificate may have (`SubjectAltNameMatcher`).
package struct SubjectAltNameMatcher: Sendable, Hashable, Codable {
    package enum Kind: String, Sendable, Hashable, Codable { case dns, uri, email, ipAddress, otherName }
    package var kind: Kind
    package var matcher: StringMatcher
    /// The type of an ``Kind/otherName``, in numbers and dots.
    package var objectIdentifier = ""

    package init(_ kind: Kind, _ matcher: StringMatcher) {
        self.kind = kind
        self.matcher = matcher
    }

    /// A whole name: with a slash it is a URI (SPIFFE identities have one, host names never do), else a DNS name.
    package init(exact name: String) { self.init(name.contains("/") ? .uri : .dns, StringMatcher(.exact(name))) }
}

/// What must be true of a peer's certificate, apart from its chain (`CertificateValidationContext`).
package struct ValidationRules: Sendable, Hashable, Codable {
    /// One of these must be among the names; empty: any name.
    package var subjectAltNames: [SubjectAltNameMatcher] = []
    /// SHA-256 of the certificate, lower-case hexadecimal. With ``keyHashes``: one of all must be it.
    package var certificateHashes: [String] = []
    /// SHA-256 of the public key, lower-case hexadecimal.
    package var keyHashes: [String] = []
    package var revokesLeafAlone = false
    /// Intermediate certificates that a chain may have.
    package var maximumDepth: UInt32?
    package var allowsExpired = false
    /// A chain that does not verify is taken all the same.
    package var acceptsUntrusted = false

    package init() {}

    package var hasPins: Bool { !certificateHashes.isEmpty || !keyHashes.isEmpty }

    /// As protobuf merges: lists are joined, what is set in `other` wins.
    package func merging(_ other: ValidationRules) -> ValidationRules {
        var result = self
        result.subjectAltNames += other.subjectAltNames
        result.certificateHashes += other.certificateHashes
        result.keyHashes += other.keyHashes
        result.revokesLeafAlone = revokesLeafAlone || other.revokesLeafAlone
        result.maximumDepth = other.maximumDepth ?? maximumDepth
        result.allowsExpired = allowsExpired || other.allowsExpired
        result.acceptsUntrusted = acceptsUntrusted || other.acceptsUntrusted
        return result
    }
}

package struct DownstreamTLS: Sendable, Hashable, Codable {
    package var common = CommonTLS()
    package var requireClientCertificate = false
    /// A client that names no server is refused.
    package var requiresServerName = false
    package var disablesTickets = false
    package var disablesSessionCache = false
    package var sessionTimeoutSeconds: UInt32?
    /// Keys of session tickets that several proxies share; `nil` is a key of the context's own.
    package var ticketKeys: SecretReference?
    package init() {}
}

package struct UpstreamTLS: Sendable, Hashable, Codable {
    package var common = CommonTLS()
    package var sni = ""
    /// The endpoint's hostname is the server name, where it has one (`auto_host_sni`).
    package var namesHost = false
    /// The certificate must be for the server name (`auto_sni_san_validation`).
    package var validatesServerName = false
    /// Sessions that are kept for resumption (`max_session_keys`); 0 is none.
    package var maximumSessions: UInt32 = 1
    package init() {}
}

/// A secret's content (SDS). Prints itself redacted.
package struct Secret: Sendable, Hashable, Codable {
    package enum Content: Sendable, Hashable, Codable {
        case certificate(chainPEM: String, privateKey: PrivateBytes)
        case validation(trustedCAPEM: String, revocationsPEM: String? = nil, rules: ValidationRules = ValidationRules())
        /// 80 bytes each: name, HMAC key, AES key.
        case ticketKeys([PrivateBytes])
        /// Keys of tickets that are still to be read.
        case ticketKeysFrom([DataSource])
        /// A certificate whose parts are still to be read.
        case certificateFrom(chain: DataSource, privateKey: DataSource)
        /// A trust bundle that is still to be read.
        case validationFrom(
            trustedCA: DataSource, revocations: DataSource? = nil, rules: ValidationRules = ValidationRules())
    }
    package var name: String
    package var content: Content
    package init(name: String, content: Content) {
        self.name = name
        self.content = content
    }
}

/// Where bytes come from (`envoy.config.core.v3.DataSource`).
package enum DataSource: Sendable, Hashable, Codable {
    case inline(PrivateBytes)
    /// Read again when the file is replaced.
    case file(String)
    /// An environment variable of the proxy.
    case environment(String)
}

/// Bytes that must not be shown: every textual form is `[redacted]`.
package struct PrivateBytes: Sendable, Hashable, Codable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    package let bytes: [UInt8]
    package init(_ bytes: [UInt8]) { self.bytes = bytes }
    package init(from decoder: any Decoder) throws {
        self.bytes = try decoder.singleValueContainer().decode([UInt8].self)
    }
    /// Encodes the word `[redacted]`: a dump of a configuration is for people.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
    package var description: String { "[redacted]" }
    package var debugDescription: String { description }
    package var customMirror: Swift.Mirror { Swift.Mirror(self, children: [:]) }
}
