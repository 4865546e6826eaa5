import NIOCore
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// The values of attributes, for expressions in filters of access logs and in tags of metrics.
extension LogContext {
    /// - Returns: `nil` for what is not there, or not known yet.
    func value(of attribute: RequestAttribute) -> AttributeValue? {
        switch attribute {
        case .named(let name): value(of: name)
        case .header(.request, let name): text(exchange.flatMap { $0.record.hasNoHead ? nil : $0.header(name) })
        case .header(.response, let name): text(response?.first(name))
        case .header(.trailers, let name): text(exchange?.record.extras?.responseTrailers?.first(name))
        case .peer(let side, let label): peer(side).flatMap { text($0[label]) }
        }
    }

    private func value(of name: RequestAttribute.Name) -> AttributeValue? {
        switch name {
        case .requestPath: return header(":path")
        case .requestURLPath: return exchange.map { .string(String($0.head.target.prefix { $0 != "?" })) }
        case .requestQuery: return exchange.map { .string(Self.query($0.head.target)) }
        case .requestHost: return header(":authority")
        case .requestScheme: return header(":scheme")
        case .requestMethod: return header(":method")
        case .requestReferer: return header("referer")
        case .requestUserAgent: return header("user-agent")
        case .requestID: return header("x-request-id")
        case .requestProtocol: return value(FormatOperatorName.protocolName).attribute
        case .requestDuration: return .duration((now - started).nanoseconds)
        case .requestSize: return value(FormatOperatorName.bytesReceived).attribute
        case .responseSize: return value(FormatOperatorName.bytesSent).attribute
        case .responseCode: return exchange.flatMap { $0.record.status > 0 ? .int(Int64($0.record.status)) : nil }
        case .responseCodeDetails: return value(FormatOperatorName.responseCodeDetails).attribute
        case .responseGRPCStatus:
            guard exchange?.original.isGRPC == true else { return nil }
            return grpcStatus.map { .int(Int64($0)) }
        default: return place(name)
        }
    }

    /// Of both connections, and of the configuration that the request went by.
    private func place(_ name: RequestAttribute.Name) -> AttributeValue? {
        switch name {
        case .sourceAddress: value(FormatOperatorName.downstreamRemoteAddress).attribute
        case .sourcePort: value(FormatOperatorName.downstreamRemotePort).attribute
        case .destinationAddress: value(FormatOperatorName.downstreamLocalAddress).attribute
        case .destinationPort: value(FormatOperatorName.downstreamLocalPort).attribute
        case .connectionID: value(FormatOperatorName.connectionID).attribute
        case .connectionMTLS: .bool(info.peer != nil)
        case .connectionServerName: value(FormatOperatorName.requestedServerName).attribute
        case .connectionSubject: value(FormatOperatorName.peerSubject).attribute
        case .connectionURIName: text(info.peer?.uriNames.first)
        case .connectionDNSName: text(info.peer?.dnsNames.first)
        case .connectionTermination: value(FormatOperatorName.connectionTerminationDetails).attribute
        case .upstreamAddress: value(FormatOperatorName.upstreamRemoteAddress).attribute
        case .upstreamPort: value(FormatOperatorName.upstreamRemotePort).attribute
        case .upstreamLocalAddress: value(FormatOperatorName.upstreamLocalAddress).attribute
        case .upstreamTransportFailure: value(FormatOperatorName.upstreamTransportFailure).attribute
        case .upstreamAttempts: value(FormatOperatorName.upstreamAttempts).attribute
        case .clusterName: value(FormatOperatorName.upstreamClusterRaw).attribute
        case .routeName:
            // A route without a name has an empty one.
            value(FormatOperatorName.routeName).attribute ?? (exchange?.decision == nil ? nil : .string(""))
        case .filterChainName: value(FormatOperatorName.filterChainName).attribute
        case .listenerDirection: exchange.map { .int($0.connection.manager.direction.number) }
        default: nil
        }
    }

    /// The client is known where it introduced itself; the server, where the control plane told of it.
    private func peer(_ side: RequestAttribute.Side) -> WorkloadLabels? {
        guard let exchange else { return nil }
        switch side {
        case .client:
            guard exchange.connection.manager.stats == .destination else { return nil }
            return exchange.worker.metrics.peers[exchange.record.peer].labels
        case .server: return exchange.record.host?.endpoint.workload.map(WorkloadLabels.init)
        }
    }

    private func header(_ name: String) -> AttributeValue? {
        guard let exchange, !exchange.record.hasNoHead else { return nil }
        return text(exchange.header(name))
    }

    private func text(_ text: String?) -> AttributeValue? { text.map { .string($0) } }

    private static func query(_ target: String) -> String {
        target.firstIndex(of: "?").map { String(target[target.index(after: $0)...]) } ?? ""
    }
}

extension FormatValue {
    /// `nil` when there is none.
    fileprivate var attribute: AttributeValue? {
        switch self {
        case .none: nil
        case .text(let text): .string(text)
        case .int(let number): .int(number)
        case .json(let value): .string(value.stringValue ?? value.text())
        }
    }
}

extension TrafficDirection {
    /// As Envoy numbers them.
    fileprivate var number: Int64 {
        switch self {
        case .unspecified: 0
        case .inbound: 1
        case .outbound: 2
        }
    }
}

extension WorkloadLabels {
    fileprivate subscript(_ label: RequestAttribute.PeerLabel) -> String? {
        let text =
            switch label {
            case .workload: workload
            case .namespace: namespace
            case .cluster: cluster
            case .app: app
            case .version: version
            case .service: canonicalService
            case .revision: canonicalRevision
            }
        return text.isEmpty ? nil : text
    }
}

extension KeptForLogs {
    /// What expressions need of an exchange.
    init(_ attributes: Set<RequestAttribute>) {
        self = []
        for case .header(let headers, _) in attributes {
            switch headers {
            case .request: break
            case .response: insert(.response)
            case .trailers: insert(.trailers)
            }
        }
    }
}
