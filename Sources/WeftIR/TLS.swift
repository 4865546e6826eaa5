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
    /// The peer must present one of these SANs; empty: any that chains to the bundle.
    package var subjectAltNames: [StringMatcher] = []
    package var alpnProtocols: [String] = []
    package var minimumVersion = TLSVersion.auto
    package var maximumVersion = TLSVersion.auto
    package var cipherSuites: [String] = []
    package init() {}
}

package struct DownstreamTLS: Sendable, Hashable, Codable {
    package var common = CommonTLS()
    package var requireClientCertificate = false
    package init() {}
}

package struct UpstreamTLS: Sendable, Hashable, Codable {
    package var common = CommonTLS()
    package var sni = ""
    package init() {}
}

/// A secret's content (SDS). Prints itself redacted.
package struct Secret: Sendable, Hashable, Codable {
    package enum Content: Sendable, Hashable, Codable {
        case certificate(chainPEM: String, privateKey: PrivateBytes)
        case validation(trustedCAPEM: String)
        /// A certificate whose parts are still to be read.
        case certificateFrom(chain: DataSource, privateKey: DataSource)
        /// A trust bundle that is still to be read.
        case validationFrom(trustedCA: DataSource)
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
