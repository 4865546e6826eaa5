import Foundation
import SwiftProtobuf
import WeftIR
import WeftProto

extension SecretReference {
    /// Where the agent of a real Envoy keeps the workload's secrets; for weft-proxy, its own memory.
    private static let workloadPaths = [
        "default": "/etc/istio/proxy/sds-default.json", "ROOTCA": "/etc/istio/proxy/sds-rootca.json",
    ]

    func wire() -> Envoy_Extensions_TransportSockets_Tls_V3_SdsSecretConfig {
        var wire = Envoy_Extensions_TransportSockets_Tls_V3_SdsSecretConfig()
        wire.name = name
        wire.sdsConfig.resourceApiVersion = .v3
        switch source {
        case .ads: wire.sdsConfig.ads = .init()
        case .workload:
            wire.sdsConfig.pathConfigSource.path = Self.workloadPaths[name] ?? "/etc/istio/proxy/sds-\(name).json"
        case .path(let path): wire.sdsConfig.pathConfigSource.path = path
        // Static secrets have no source; inline ones are written where they are used.
        case .bootstrap, .inline: wire.clearSdsConfig()
        }
        return wire
    }

    init(_ wire: Envoy_Extensions_TransportSockets_Tls_V3_SdsSecretConfig, _ reader: WireReader) throws {
        switch wire.sdsConfig.configSourceSpecifier {
        case .ads, .self_p: self.init(name: wire.name, source: .ads)
        case .pathConfigSource(let source):
            let ours = Self.workloadPaths[wire.name] ?? "/etc/istio/proxy/sds-\(wire.name).json"
            self.init(name: wire.name, source: source.path == ours ? .workload : .path(source.path))
        case .path(let path): self.init(name: wire.name, source: .path(path))
        case .apiConfigSource: throw reader.error("sds_config.api_config_source is not supported")
        case nil: self.init(name: wire.name, source: .bootstrap)
        }
    }
}

extension CommonTLS {
    func wire() -> WireCommonTLS {
        var wire = WireCommonTLS()
        for reference in certificates {
            if case .inline(let content) = reference.source {
                wire.tlsCertificates.append(Secret(name: reference.name, content: content).wire().tlsCertificate)
            } else {
                wire.tlsCertificateSdsSecretConfigs.append(reference.wire())
            }
        }
        wire.alpnProtocols = alpnProtocols
        if minimumVersion != .auto || maximumVersion != .auto || !cipherSuites.isEmpty {
            wire.tlsParams.tlsMinimumProtocolVersion = minimumVersion.wire
            wire.tlsParams.tlsMaximumProtocolVersion = maximumVersion.wire
            wire.tlsParams.cipherSuites = cipherSuites
        }
        var context = Envoy_Extensions_TransportSockets_Tls_V3_CertificateValidationContext()
        context.matchTypedSubjectAltNames = subjectAltNames.map { matcher in
            var name = Envoy_Extensions_TransportSockets_Tls_V3_SubjectAltNameMatcher()
            name.sanType = matcher.looksLikeURI ? .uri : .dns
            name.matcher = matcher.wire()
            return name
        }
        var validation = validation
        if case .inline(let content)? = validation?.source {
            context.trustedCa = Secret(name: "", content: content).wire().validationContext.trustedCa
            wire.validationContext = context
            validation = nil
            return wire
        }
        switch (validation, subjectAltNames.isEmpty) {
        case (let validation?, true): wire.validationContextSdsSecretConfig = validation.wire()
        case (let validation?, false):
            wire.combinedValidationContext.defaultValidationContext = context
            wire.combinedValidationContext.validationContextSdsSecretConfig = validation.wire()
        case (nil, false): wire.validationContext = context
        case (nil, true): break
        }
        return wire
    }

    init(_ wire: WireCommonTLS, _ reader: WireReader) throws {
        self.init()
        certificates = try reader.map("tls_certificates", wire.tlsCertificates) {
            SecretReference(name: "tls_certificates", source: .inline(try Secret.Content($0, reader)))
        }
        certificates += try reader.map("tls_certificate_sds_secret_configs", wire.tlsCertificateSdsSecretConfigs) {
            try SecretReference($0, reader)
        }
        alpnProtocols = wire.alpnProtocols
        minimumVersion = TLSVersion(wire.tlsParams.tlsMinimumProtocolVersion)
        maximumVersion = TLSVersion(wire.tlsParams.tlsMaximumProtocolVersion)
        cipherSuites = wire.tlsParams.cipherSuites
        var context = Envoy_Extensions_TransportSockets_Tls_V3_CertificateValidationContext()
        switch wire.validationContextType {
        case .validationContextSdsSecretConfig(let secret): validation = try SecretReference(secret, reader)
        case .validationContext(let inline): context = inline
        case .combinedValidationContext(let both):
            context = both.defaultValidationContext
            validation = try SecretReference(both.validationContextSdsSecretConfig, reader)
        case nil: break
        }
        if context.hasTrustedCa, validation == nil {
            let source = try reader.at("trusted_ca") { try DataSource(context.trustedCa, reader) }
            validation = SecretReference(name: "trusted_ca", source: .inline(.validationFrom(trustedCA: source)))
        }
        let pins = context.verifyCertificateHash + context.verifyCertificateSpki
        if !pins.isEmpty || context.hasCrl {
            throw reader.error("certificate pins and revocation lists are not supported")
        }
        subjectAltNames = try reader.map("match_typed_subject_alt_names", context.matchTypedSubjectAltNames) {
            try StringMatcher($0.matcher, reader)
        }
    }
}

extension StringMatcher {
    /// SPIFFE identities hold a slash, host names never do.
    fileprivate var looksLikeURI: Bool {
        switch pattern {
        case .exact(let text), .prefix(let text), .suffix(let text), .contains(let text), .regex(let text):
            text.contains("/")
        }
    }
}

extension TLSVersion {
    var wire: Envoy_Extensions_TransportSockets_Tls_V3_TlsParameters.TlsProtocol {
        switch self {
        case .auto: .tlsAuto
        case .v1_0: .tlsv10
        case .v1_1: .tlsv11
        case .v1_2: .tlsv12
        case .v1_3: .tlsv13
        }
    }

    init(_ wire: Envoy_Extensions_TransportSockets_Tls_V3_TlsParameters.TlsProtocol) {
        switch wire {
        case .tlsv10: self = .v1_0
        case .tlsv11: self = .v1_1
        case .tlsv12: self = .v1_2
        case .tlsv13: self = .v1_3
        default: self = .auto
        }
    }
}

extension UpstreamTLS {
    func transportSocket() throws -> Core.TransportSocket {
        var wire = WireUpstreamTLS()
        wire.commonTlsContext = common.wire()
        wire.sni = sni
        return try .init(tls: wire)
    }

    /// - Returns: `nil` for plain text.
    static func from(_ socket: Core.TransportSocket, _ reader: WireReader) throws -> UpstreamTLS? {
        guard try !reader.isPlain(socket, tls: WireUpstreamTLS.self) else { return nil }
        let wire = try reader.unpack(socket.typedConfig, as: WireUpstreamTLS.self)
        var value = UpstreamTLS()
        value.common = try CommonTLS(wire.commonTlsContext, reader)
        value.sni = wire.sni
        return value
    }
}

extension DownstreamTLS {
    func transportSocket() throws -> Core.TransportSocket {
        var wire = WireDownstreamTLS()
        wire.commonTlsContext = common.wire()
        wire.requireClientCertificate = .init(requireClientCertificate)
        return try .init(tls: wire)
    }

    /// - Returns: `nil` for plain text.
    static func from(_ socket: Core.TransportSocket, _ reader: WireReader) throws -> DownstreamTLS? {
        guard try !reader.isPlain(socket, tls: WireDownstreamTLS.self) else { return nil }
        let wire = try reader.unpack(socket.typedConfig, as: WireDownstreamTLS.self)
        var value = DownstreamTLS()
        value.common = try CommonTLS(wire.commonTlsContext, reader)
        value.requireClientCertificate = wire.requireClientCertificate.value
        return value
    }
}

extension WireReader {
    fileprivate func isPlain<M: Message>(_ socket: Core.TransportSocket, tls: M.Type) throws -> Bool {
        if socket.typedConfig.holds(Envoy_Extensions_TransportSockets_RawBuffer_V3_RawBuffer.self) { return true }
        guard socket.typedConfig.holds(tls) else {
            throw error("transport socket \(socket.name) (\(socket.typedConfig.messageName)) is not supported")
        }
        return false
    }
}

extension Core.TransportSocket {
    fileprivate init(tls message: some Message) throws {
        self.init()
        name = "envoy.transport_sockets.tls"
        typedConfig = try pack(message)
    }

    static func rawBuffer() throws -> Core.TransportSocket {
        var socket = Core.TransportSocket()
        socket.name = "envoy.transport_sockets.raw_buffer"
        socket.typedConfig = try pack(Envoy_Extensions_TransportSockets_RawBuffer_V3_RawBuffer())
        return socket
    }
}

extension Secret {
    func wire() -> WireSecret {
        var wire = WireSecret()
        wire.name = name
        switch content {
        case .certificate(let chain, let key):
            wire.tlsCertificate.certificateChain.inlineBytes = Data(chain.utf8)
            wire.tlsCertificate.privateKey.inlineBytes = Data(key.bytes)
        case .validation(let authority): wire.validationContext.trustedCa.inlineBytes = Data(authority.utf8)
        case .certificateFrom(let chain, let key):
            wire.tlsCertificate.certificateChain = chain.wire
            wire.tlsCertificate.privateKey = key.wire
        case .validationFrom(let authority): wire.validationContext.trustedCa = authority.wire
        }
        return wire
    }

    init(_ wire: WireSecret, _ reader: WireReader) throws {
        switch wire.type {
        case .tlsCertificate(let certificate):
            self.init(name: wire.name, content: try Secret.Content(certificate, reader))
        case .validationContext(let context):
            let source = try reader.at("trusted_ca") { try DataSource(context.trustedCa, reader) }
            if case .inline(let bytes) = source {
                self.init(
                    name: wire.name, content: .validation(trustedCAPEM: String(decoding: bytes.bytes, as: UTF8.self)))
            } else {
                self.init(name: wire.name, content: .validationFrom(trustedCA: source))
            }
        case .genericSecret, nil: throw reader.error("secret of a kind that is not supported")
        }
    }
}

extension Secret.Content {
    init(_ wire: Envoy_Extensions_TransportSockets_Tls_V3_TlsCertificate, _ reader: WireReader) throws {
        let chain = try reader.at("certificate_chain") { try DataSource(wire.certificateChain, reader) }
        let key = try reader.at("private_key") { try DataSource(wire.privateKey, reader) }
        if case .inline(let chain) = chain, case .inline(let key) = key {
            self = .certificate(chainPEM: String(decoding: chain.bytes, as: UTF8.self), privateKey: key)
        } else {
            self = .certificateFrom(chain: chain, privateKey: key)
        }
    }
}

extension DataSource {
    init(_ wire: Core.DataSource, _ reader: WireReader) throws {
        switch wire.specifier {
        case .inlineBytes(let bytes): self = .inline(PrivateBytes([UInt8](bytes)))
        case .inlineString(let text): self = .inline(PrivateBytes(Array(text.utf8)))
        case .filename(let path): self = .file(path)
        case .environmentVariable(let name): self = .environment(name)
        case nil:
            throw reader.error("data is missing: give filename, inline_string, inline_bytes or environment_variable")
        }
    }

    var wire: Core.DataSource {
        var wire = Core.DataSource()
        switch self {
        case .inline(let bytes): wire.inlineBytes = Data(bytes.bytes)
        case .file(let path): wire.filename = path
        case .environment(let name): wire.environmentVariable = name
        }
        return wire
    }
}

extension Core.DataSource {
    /// - Throws: If the data is in a file or in the environment.
    func inline(_ reader: WireReader) throws -> Data {
        switch specifier {
        case .inlineBytes(let bytes): bytes
        case .inlineString(let text): Data(text.utf8)
        default: throw reader.error("only inline data is supported")
        }
    }
}
