/// Something that is known of a request or a connection, by the names of Envoy's attributes.
///
/// Source: Envoy's list of attributes (`intro/arch_overview/advanced/attributes`), and the peers' labels as Istio's
/// filters publish them in the filter state.
package enum RequestAttribute: Sendable, Hashable {
    /// The type of what an attribute or an expression gives.
    package enum ValueType: String, Sendable, Hashable {
        case string, int, double, bool, duration
    }
    package enum Headers: String, Sendable, Hashable {
        case request = "request.headers"
        case response = "response.headers"
        case trailers = "response.trailers"
    }
    /// Which end of the exchange a peer is.
    package enum Side: String, Sendable, Hashable {
        case client = "filter_state.downstream_peer"
        case server = "filter_state.upstream_peer"
    }
    package enum PeerLabel: String, Sendable, Hashable, CaseIterable {
        case workload, namespace, cluster, app, version, service, revision
    }
    case named(Name)
    case header(Headers, String)
    case peer(Side, PeerLabel)

    package var type: ValueType {
        switch self {
        case .named(let name): name.type
        case .header, .peer: .string
        }
    }
}

extension RequestAttribute {
    package enum Name: String, Sendable, Hashable, CaseIterable {
        case requestPath = "request.path"
        case requestURLPath = "request.url_path"
        case requestQuery = "request.query"
        case requestHost = "request.host"
        case requestScheme = "request.scheme"
        case requestMethod = "request.method"
        case requestReferer = "request.referer"
        case requestUserAgent = "request.useragent"
        case requestID = "request.id"
        case requestProtocol = "request.protocol"
        case requestDuration = "request.duration"
        case requestSize = "request.size"
        case responseCode = "response.code"
        case responseCodeDetails = "response.code_details"
        case responseGRPCStatus = "response.grpc_status"
        case responseSize = "response.size"
        case sourceAddress = "source.address"
        case sourcePort = "source.port"
        case destinationAddress = "destination.address"
        case destinationPort = "destination.port"
        case connectionID = "connection.id"
        case connectionMTLS = "connection.mtls"
        case connectionServerName = "connection.requested_server_name"
        case connectionSubject = "connection.subject_peer_certificate"
        case connectionURIName = "connection.uri_san_peer_certificate"
        case connectionDNSName = "connection.dns_san_peer_certificate"
        case connectionTermination = "connection.termination_details"
        case upstreamAddress = "upstream.address"
        case upstreamPort = "upstream.port"
        case upstreamLocalAddress = "upstream.local_address"
        case upstreamTransportFailure = "upstream.transport_failure_reason"
        case upstreamAttempts = "upstream.request_attempt_count"
        case clusterName = "xds.cluster_name"
        case routeName = "xds.route_name"
        case filterChainName = "xds.filter_chain_name"
        case listenerDirection = "xds.listener_direction"

        package var type: ValueType {
            switch self {
            case .requestSize, .responseCode, .responseGRPCStatus, .responseSize, .sourcePort, .destinationPort,
                .connectionID, .upstreamPort, .upstreamAttempts, .listenerDirection:
                .int
            case .connectionMTLS: .bool
            case .requestDuration: .duration
            default: .string
            }
        }
    }
}

/// What an attribute or an expression has come to.
package enum AttributeValue: Sendable, Hashable {
    case string(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)
    /// Nanoseconds.
    case duration(Int64)

    /// As a label of a metric has it.
    package var text: String {
        switch self {
        case .string(let text): text
        case .int(let number): String(number)
        case .double(let number): String(number)
        case .bool(let flag): String(flag)
        case .duration(let nanoseconds): "\(Double(nanoseconds) / 1e9)s"
        }
    }

    package var type: RequestAttribute.ValueType {
        switch self {
        case .string: .string
        case .int: .int
        case .double: .double
        case .bool: .bool
        case .duration: .duration
        }
    }
}
