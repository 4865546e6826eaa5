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
        wire.tlsParams.ecdhCurves = curves
        wire.tlsParams.signatureAlgorithms = signatureAlgorithms
        if wire.tlsParams == .init() { wire.clearTlsParams() }
        let context = rules.wire()
        var validation = validation
        if case .inline(let content)? = validation?.source {
            wire.validationContext = Secret(name: "", content: content).wire().validationContext
            wire.validationContext.add(rules)
            validation = nil
            return wire
        }
        switch (validation, rules == ValidationRules()) {
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
        curves = wire.tlsParams.ecdhCurves
        signatureAlgorithms = wire.tlsParams.signatureAlgorithms
        switch wire.validationContextType {
        case .validationContextSdsSecretConfig(let secret): validation = try SecretReference(secret, reader)
        case .validationContext(let inline):
            rules = try reader.at("validation_context") { try ValidationRules(inline, reader) }
            try readInline(inline, reader)
        case .combinedValidationContext(let both):
            try reader.at("combined_validation_context.default_validation_context") {
                rules = try ValidationRules(both.defaultValidationContext, reader)
                if both.defaultValidationContext.hasTrustedCa || both.defaultValidationContext.hasCrl {
                    throw reader.error("trusted_ca and crl are taken from the secret alone")
                }
            }
            validation = try SecretReference(both.validationContextSdsSecretConfig, reader)
        case nil: break
        }
    }

    private mutating func readInline(
        _ context: Envoy_Extensions_TransportSockets_Tls_V3_CertificateValidationContext, _ reader: WireReader
    ) throws {
        guard context.hasTrustedCa else {
            if context.hasCrl { throw reader.error("crl needs trusted_ca") }
            if !rules.subjectAltNames.isEmpty {
                throw reader.error("names of a certificate say nothing without trusted_ca")
            }
            return
        }
        let authority = try reader.at("trusted_ca") { try DataSource(context.trustedCa, reader) }
        let revocations = try context.hasCrl ? reader.at("crl") { try DataSource(context.crl, reader) } : nil
        let content = Secret.Content.validationFrom(trustedCA: authority, revocations: revocations)
        validation = SecretReference(name: "trusted_ca", source: .inline(content))
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
        wire.autoHostSni = namesHost
        wire.autoSniSanValidation = validatesServerName
        if maximumSessions != 1 { wire.maxSessionKeys = .init(maximumSessions) }
        return try .init(tls: wire)
    }

    /// - Returns: `nil` for plain text.
    static func from(_ socket: Core.TransportSocket, _ reader: WireReader) throws -> UpstreamTLS? {
        guard try !reader.isPlain(socket, tls: WireUpstreamTLS.self) else { return nil }
        let wire = try reader.unpack(socket.typedConfig, as: WireUpstreamTLS.self)
        var value = UpstreamTLS()
        value.common = try CommonTLS(wire.commonTlsContext, reader)
        value.sni = wire.sni
        value.namesHost = wire.autoHostSni
        value.validatesServerName = wire.autoSniSanValidation
        if wire.hasMaxSessionKeys { value.maximumSessions = wire.maxSessionKeys.value }
        return value
    }
}

extension DownstreamTLS {
    func transportSocket() throws -> Core.TransportSocket {
        var wire = WireDownstreamTLS()
        wire.commonTlsContext = common.wire()
        wire.requireClientCertificate = .init(requireClientCertificate)
        if requiresServerName { wire.requireSni = .init(true) }
        if disablesTickets { wire.disableStatelessSessionResumption = true }
        wire.disableStatefulSessionResumption = disablesSessionCache
        if let seconds = sessionTimeoutSeconds { wire.sessionTimeout = .init(milliseconds: UInt64(seconds) * 1000) }
        switch ticketKeys?.source {
        case .inline(.ticketKeysFrom(let sources)): wire.sessionTicketKeys.keys = sources.map(\.wire)
        case nil: break
        default: if let ticketKeys { wire.sessionTicketKeysSdsSecretConfig = ticketKeys.wire() }
        }
        return try .init(tls: wire)
    }

    /// - Returns: `nil` for plain text.
    static func from(_ socket: Core.TransportSocket, _ reader: WireReader) throws -> DownstreamTLS? {
        guard try !reader.isPlain(socket, tls: WireDownstreamTLS.self) else { return nil }
        let wire = try reader.unpack(socket.typedConfig, as: WireDownstreamTLS.self)
        var value = DownstreamTLS()
        value.common = try CommonTLS(wire.commonTlsContext, reader)
        value.requireClientCertificate = wire.requireClientCertificate.value
        value.requiresServerName = wire.requireSni.value
        value.disablesSessionCache = wire.disableStatefulSessionResumption
        if wire.hasSessionTimeout {
            value.sessionTimeoutSeconds = UInt32(clamping: wire.sessionTimeout.milliseconds / 1000)
        }
        switch wire.sessionTicketKeysType {
        case .disableStatelessSessionResumption(let isDisabled): value.disablesTickets = isDisabled
        case .sessionTicketKeys(let keys):
            let sources = try reader.map("session_ticket_keys.keys", keys.keys) { try DataSource($0, reader) }
            value.ticketKeys = SecretReference(name: "session_ticket_keys", source: .inline(.ticketKeysFrom(sources)))
        case .sessionTicketKeysSdsSecretConfig(let secret): value.ticketKeys = try SecretReference(secret, reader)
        case nil: break
        }
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
        case .validation(let authority, let revocations, let rules):
            wire.validationContext = rules.wire()
            wire.validationContext.trustedCa.inlineBytes = Data(authority.utf8)
            if let revocations { wire.validationContext.crl.inlineBytes = Data(revocations.utf8) }
        case .ticketKeys(let keys):
            wire.sessionTicketKeys.keys = keys.map { DataSource.inline($0).wire }
        case .ticketKeysFrom(let sources): wire.sessionTicketKeys.keys = sources.map(\.wire)
        case .certificateFrom(let chain, let key):
            wire.tlsCertificate.certificateChain = chain.wire
            wire.tlsCertificate.privateKey = key.wire
        case .validationFrom(let authority, let revocations, let rules):
            wire.validationContext = rules.wire()
            wire.validationContext.trustedCa = authority.wire
            if let revocations { wire.validationContext.crl = revocations.wire }
        }
        return wire
    }

    init(_ wire: WireSecret, _ reader: WireReader) throws {
        switch wire.type {
        case .tlsCertificate(let certificate):
            self.init(name: wire.name, content: try Secret.Content(certificate, reader))
        case .validationContext(let context):
            self.init(name: wire.name, content: try Secret.Content(context, reader))
        case .sessionTicketKeys(let keys):
            let sources = try reader.map("session_ticket_keys.keys", keys.keys) { try DataSource($0, reader) }
            let inline = sources.compactMap { if case .inline(let bytes) = $0 { bytes } else { nil } }
            self.init(
                name: wire.name,
                content: inline.count == sources.count ? .ticketKeys(inline) : .ticketKeysFrom(sources))
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

extension Secret.Content {
    init(
        _ context: Envoy_Extensions_TransportSockets_Tls_V3_CertificateValidationContext, _ reader: WireReader
    ) throws {
        let authority = try reader.at("trusted_ca") { try DataSource(context.trustedCa, reader) }
        let revocations = try context.hasCrl ? reader.at("crl") { try DataSource(context.crl, reader) } : nil
        let rules = try ValidationRules(context, reader)
        func text(_ bytes: PrivateBytes) -> String { String(decoding: bytes.bytes, as: UTF8.self) }
        switch (authority, revocations) {
        case (.inline(let pem), nil): self = .validation(trustedCAPEM: text(pem), rules: rules)
        case (.inline(let pem), .inline(let list)?):
            self = .validation(trustedCAPEM: text(pem), revocationsPEM: text(list), rules: rules)
        default: self = .validationFrom(trustedCA: authority, revocations: revocations, rules: rules)
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
