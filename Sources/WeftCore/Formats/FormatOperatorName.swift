/// Command operators without arguments, by Envoy's names.
package enum FormatOperatorName: String, Sendable, Hashable, CaseIterable {
    case bytesReceived = "BYTES_RECEIVED"
    case bytesSent = "BYTES_SENT"
    case protocolName = "PROTOCOL"
    case upstreamProtocol = "UPSTREAM_PROTOCOL"
    case responseCode = "RESPONSE_CODE"
    case responseCodeDetails = "RESPONSE_CODE_DETAILS"
    case connectionTerminationDetails = "CONNECTION_TERMINATION_DETAILS"
    case requestHeadersBytes = "REQUEST_HEADERS_BYTES"
    case responseHeadersBytes = "RESPONSE_HEADERS_BYTES"
    case responseTrailersBytes = "RESPONSE_TRAILERS_BYTES"
    case duration = "DURATION"
    case requestDuration = "REQUEST_DURATION"
    case requestSendDuration = "REQUEST_TX_DURATION"
    case responseDuration = "RESPONSE_DURATION"
    case responseSendDuration = "RESPONSE_TX_DURATION"
    case responseFlags = "RESPONSE_FLAGS"
    case responseFlagsLong = "RESPONSE_FLAGS_LONG"
    case routeName = "ROUTE_NAME"
    case virtualClusterName = "VIRTUAL_CLUSTER_NAME"
    case upstreamHost = "UPSTREAM_HOST"
    case upstreamHostName = "UPSTREAM_HOST_NAME"
    case upstreamHostNameWithoutPort = "UPSTREAM_HOST_NAME_WITHOUT_PORT"
    case upstreamCluster = "UPSTREAM_CLUSTER"
    case upstreamClusterRaw = "UPSTREAM_CLUSTER_RAW"
    case upstreamLocalAddress = "UPSTREAM_LOCAL_ADDRESS"
    case upstreamLocalAddressWithoutPort = "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT"
    case upstreamLocalPort = "UPSTREAM_LOCAL_PORT"
    case upstreamRemoteAddress = "UPSTREAM_REMOTE_ADDRESS"
    case upstreamRemoteAddressWithoutPort = "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT"
    case upstreamRemotePort = "UPSTREAM_REMOTE_PORT"
    case upstreamTransportFailure = "UPSTREAM_TRANSPORT_FAILURE_REASON"
    case upstreamAttempts = "UPSTREAM_REQUEST_ATTEMPT_COUNT"
    case downstreamLocalAddress = "DOWNSTREAM_LOCAL_ADDRESS"
    case downstreamLocalAddressWithoutPort = "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT"
    case downstreamLocalPort = "DOWNSTREAM_LOCAL_PORT"
    case downstreamDirectLocalAddress = "DOWNSTREAM_DIRECT_LOCAL_ADDRESS"
    case downstreamDirectLocalAddressWithoutPort = "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT"
    case downstreamDirectLocalPort = "DOWNSTREAM_DIRECT_LOCAL_PORT"
    case downstreamRemoteAddress = "DOWNSTREAM_REMOTE_ADDRESS"
    case downstreamRemoteAddressWithoutPort = "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT"
    case downstreamRemotePort = "DOWNSTREAM_REMOTE_PORT"
    case downstreamDirectRemoteAddress = "DOWNSTREAM_DIRECT_REMOTE_ADDRESS"
    case downstreamDirectRemoteAddressWithoutPort = "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT"
    case downstreamDirectRemotePort = "DOWNSTREAM_DIRECT_REMOTE_PORT"
    case downstreamTransportFailure = "DOWNSTREAM_TRANSPORT_FAILURE_REASON"
    case peerURINames = "DOWNSTREAM_PEER_URI_SAN"
    case peerDNSNames = "DOWNSTREAM_PEER_DNS_SAN"
    case peerIPNames = "DOWNSTREAM_PEER_IP_SAN"
    case peerEmailNames = "DOWNSTREAM_PEER_EMAIL_SAN"
    case peerSubject = "DOWNSTREAM_PEER_SUBJECT"
    case peerIssuer = "DOWNSTREAM_PEER_ISSUER"
    case peerSerial = "DOWNSTREAM_PEER_SERIAL"
    /// In PEM, percent-encoded.
    case peerCertificate = "DOWNSTREAM_PEER_CERT"
    case ownURINames = "DOWNSTREAM_LOCAL_URI_SAN"
    case peerFingerprint = "DOWNSTREAM_PEER_FINGERPRINT_256"
    case peerShortFingerprint = "DOWNSTREAM_PEER_FINGERPRINT_1"
    case tlsVersion = "DOWNSTREAM_TLS_VERSION"
    case tlsCipher = "DOWNSTREAM_TLS_CIPHER"
    case tlsSessionID = "DOWNSTREAM_TLS_SESSION_ID"
    case upstreamTLSVersion = "UPSTREAM_TLS_VERSION"
    case upstreamTLSCipher = "UPSTREAM_TLS_CIPHER"
    case upstreamTLSSessionID = "UPSTREAM_TLS_SESSION_ID"
    case upstreamPeerSubject = "UPSTREAM_PEER_SUBJECT"
    case upstreamPeerIssuer = "UPSTREAM_PEER_ISSUER"
    case upstreamPeerURINames = "UPSTREAM_PEER_URI_SAN"
    case upstreamPeerDNSNames = "UPSTREAM_PEER_DNS_SAN"
    case upstreamPeerIPNames = "UPSTREAM_PEER_IP_SAN"
    case upstreamPeerCertificate = "UPSTREAM_PEER_CERT"
    case upstreamPoolDuration = "UPSTREAM_CONNECTION_POOL_READY_DURATION"
    case hostsAttempted = "UPSTREAM_HOSTS_ATTEMPTED"
    case hostsAttemptedWithoutPort = "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT"
    case hostNamesAttempted = "UPSTREAM_HOST_NAMES_ATTEMPTED"
    case hostNamesAttemptedWithoutPort = "UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT"
    case connectionID = "CONNECTION_ID"
    case streamID = "STREAM_ID"
    case uniqueID = "UNIQUE_ID"
    case requestedServerName = "REQUESTED_SERVER_NAME"
    case filterChainName = "FILTER_CHAIN_NAME"
    case hostname = "HOSTNAME"
    case accessLogType = "ACCESS_LOG_TYPE"
    case traceID = "TRACE_ID"
    case spanID = "SPAN_ID"
    case localReplyBody = "LOCAL_REPLY_BODY"

    /// Operators that Envoy 1.40 has and this proxy has no value for: a configuration that asks for one is refused.
    package static let withoutValue: Set<String> = [
        "BYTES_RETRANSMITTED", "CLUSTER_METADATA", "COALESCE", "CUSTOM_FLAGS", "DOWNSTREAM_DETECTED_CLOSE_TYPE",
        "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
        "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", "DOWNSTREAM_HANDSHAKE_DURATION",
        "DOWNSTREAM_HEADER_BYTES_RECEIVED", "DOWNSTREAM_HEADER_BYTES_SENT", "DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID",
        "DOWNSTREAM_LOCAL_CLOSE_REASON", "DOWNSTREAM_LOCAL_DNS_SAN", "DOWNSTREAM_LOCAL_EMAIL_SAN",
        "DOWNSTREAM_LOCAL_IP_SAN", "DOWNSTREAM_LOCAL_OTHERNAME_SAN", "DOWNSTREAM_LOCAL_SUBJECT",
        "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1",
        "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", "DOWNSTREAM_PEER_CHAIN_SERIALS",
        "DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256", "DOWNSTREAM_PEER_ISSUER_SERIAL",
        "DOWNSTREAM_PEER_OTHERNAME_SAN", "DOWNSTREAM_TLS_GROUP", "DOWNSTREAM_WIRE_BYTES_RECEIVED",
        "DOWNSTREAM_WIRE_BYTES_SENT", "PACKETS_RETRANSMITTED",
        "ROUNDTRIP_DURATION", "UPSTREAM_CONNECTION_ID", "UPSTREAM_CONNECTION_IDS_ATTEMPTED",
        "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
        "UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", "UPSTREAM_DETECTED_CLOSE_TYPE", "UPSTREAM_FILTER_STATE",
        "UPSTREAM_HEADER_BYTES_RECEIVED", "UPSTREAM_HEADER_BYTES_SENT", "UPSTREAM_LOCAL_CLOSE_REASON",
        "UPSTREAM_LOCAL_DNS_SAN",
        "UPSTREAM_LOCAL_IP_SAN", "UPSTREAM_LOCAL_URI_SAN", "UPSTREAM_METADATA",
        "UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", "UPSTREAM_SERVER_NAME", "UPSTREAM_TLS_GROUP",
        "UPSTREAM_WIRE_BYTES_RECEIVED",
        "UPSTREAM_WIRE_BYTES_SENT",
    ]
}
