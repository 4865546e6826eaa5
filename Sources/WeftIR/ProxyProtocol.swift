/// A version of the PROXY protocol.
package enum ProxyProtocolVersion: String, Sendable, Hashable, Codable { case v1, v2 }

/// A type-length-value of a PROXY header of version 2.
package struct ProxyProtocolTLV: Sendable, Hashable, Codable {
    package var type: UInt8
    package var value: [UInt8]
    package init(type: UInt8, value: [UInt8]) {
        self.type = type
        self.value = value
    }
}

/// Which of the values that came in go on (`ProxyProtocolPassThroughTLVs`).
package enum ProxyProtocolSelection: Sendable, Hashable, Codable {
    case all
    case types([UInt8])

    package func includes(_ type: UInt8) -> Bool {
        switch self {
        case .all: true
        case .types(let types): types.contains(type)
        }
    }
}

/// What the listener filter takes (`envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol`).
package struct ProxyProtocolFilter: Sendable, Hashable, Codable {
    /// A connection without a header is served as it is.
    package var allowsPlainConnections = false
    package var disallowedVersions: [ProxyProtocolVersion] = []
    /// What an upstream may get; `nil` is nothing.
    package var passThrough: ProxyProtocolSelection?
    package init() {}
}

/// The header that upstream connections begin with
/// (`envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport`).
package struct UpstreamProxyProtocol: Sendable, Hashable, Codable {
    package var version: ProxyProtocolVersion
    /// Of what the listener filter lets through; `nil` is nothing.
    package var passThrough: ProxyProtocolSelection?
    /// Stronger than what is passed through.
    package var added: [ProxyProtocolTLV] = []
    package init(version: ProxyProtocolVersion) { self.version = version }
}
