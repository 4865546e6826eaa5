import WeftCore
import WeftHTTP
import WeftIR

/// A reply that the proxy makes itself: the one place that maps what happened to status, flag, reason and body.
///
/// Statuses, bodies and response flags are Envoy's, so tools and habits keep working; the reason code is stable.
struct LocalReply {
    enum Reason {
        case noRoute
        case clusterNotFound(String, status: UInt16)
        case noHealthyUpstream(emptyReason: String?)
        /// The cluster has too much under way; of a retry, the word of it.
        case overflow(isRetry: Bool)
        /// Every way in which a try ended before its response began.
        case upstreamReset(UpstreamResetReason, transport: String?, isRetry: Bool)
        case requestTimeout
        case perTryTimeout(idle: Bool)
        /// Nothing moved, or the whole took too long; the request had been received or not.
        case streamIdleTimeout(requestComplete: Bool)
        case maxStreamDuration(requestComplete: Bool)
        /// The same of the cluster.
        case upstreamDuration(requestComplete: Bool)
        /// The client took too long to send its request.
        case requestOverdue
        case accessDenied(policy: String?)
        case faultAbort(status: UInt16)
        case directResponse(status: UInt16, body: String)
        case redirect(status: UInt16, location: String)
        case badRequest
        /// In the name of a header, where that is not wanted.
        case unexpectedUnderscore
        case pathRefused
        case pathRedirect(location: String)
        case relativePath
        case lowVersion
        case headersTooLarge
        /// The head took too long to come.
        case headersOverdue
        case bodyTooLarge
        case upgradeRefused
        case unresolvedHost(String)
        case rateLimited(status: UInt16)
        case healthCheck(status: UInt16, details: String)
        case badGRPCWeb
        case badCompressedBody
        /// Turned away by overload protection.
        case overloaded
        case tokenRefused(status: UInt16, text: String, details: String)
        /// What a service that a filter asked has said, or why it could not be asked.
        case service(status: UInt16, body: String, flag: String, details: String)
    }

    var status: Int
    var body: String
    /// Envoy's response flag, `-` when there is none.
    var flag: String
    /// The stable reason code (`response_code_details`).
    var code: String
    var location: String?
    /// What gRPC clients are told, when it is not what the HTTP status stands for.
    var grpcStatus: UInt32?
    /// Nothing was tried: the next proxy must not try again (`x-envoy-overloaded`).
    var isOverload = false
    var provenance: Provenance?

    init(_ reason: Reason, provenance: Provenance? = nil) {
        self.provenance = provenance
        (status, body, flag, code) = Self.describe(reason)
        switch reason {
        case .redirect(_, let target), .pathRedirect(let target): location = target
        case .streamIdleTimeout, .maxStreamDuration: grpcStatus = 4
        case .overflow, .upstreamReset(.overflow, _, _): isOverload = true
        default: break
        }
    }

    private static func describe(_ reason: Reason) -> (Int, String, String, String) {
        switch reason {
        case .noRoute: return (404, "", "NR", "route_not_found")
        case .clusterNotFound(_, let status): return (Int(status), "", "NC", "cluster_not_found")
        case .noHealthyUpstream(let why):
            return (
                503, "no healthy upstream" + (why.map { ": \($0)" } ?? ""), "UH",
                why == nil ? "no_healthy_upstream" : "no_healthy_upstream{\(why ?? "")}"
            )
        case .overflow(let isRetry): return UpstreamResetReason.overflow.reply(transport: nil, isRetry: isRetry)
        case .upstreamReset(let why, let transport, let isRetry):
            return why.reply(transport: transport, isRetry: isRetry)
        case .requestTimeout: return (504, "upstream request timeout", "UT", "response_timeout")
        case .perTryTimeout(let idle):
            return (
                504, "upstream request timeout", "UT",
                idle ? "upstream_per_try_idle_timeout" : "upstream_per_try_timeout"
            )
        case .streamIdleTimeout(let complete):
            return (complete ? 504 : 408, "stream timeout", "SI", "stream_idle_timeout")
        case .requestOverdue: return (408, "request timeout", "-", "request_overall_timeout")
        case .maxStreamDuration(let complete):
            return (complete ? 504 : 408, "downstream duration timeout", "-", "max_duration_timeout")
        case .upstreamDuration(let complete):
            return (
                complete ? 504 : 408, "upstream max stream duration reached", "UMSDR",
                "upstream_max_stream_duration_reached"
            )
        case .accessDenied(let policy):
            return (403, "RBAC: access denied", "-", "rbac_access_denied_matched_policy[\(policy ?? "none")]")
        case .faultAbort(let status): return (Int(status), "fault filter abort", "FI", "fault_filter_abort")
        case .directResponse(let status, let body): return (Int(status), body, "-", "direct_response")
        case .redirect(let status, _): return (Int(status), "", "-", "direct_response")
        case .badRequest: return (400, "Bad Request", "DPE", "http1.codec_error")
        case .unexpectedUnderscore: return (400, "Bad Request", "DPE", "http1.unexpected_underscore")
        case .pathRefused: return (400, "", "-", "path_normalization_failed")
        case .pathRedirect: return (307, "", "-", "path_normalization_failed")
        case .relativePath: return (404, "", "-", "absolute_path_rejected")
        case .lowVersion: return (426, "Upgrade Required", "DPE", "low_version")
        case .headersTooLarge:
            return (431, "Request Header Fields Too Large", "DPE", "http1.headers_too_large")
        case .headersOverdue: return (408, "request header timeout", "-", "request_header_timeout")
        case .bodyTooLarge: return (413, "Payload Too Large", "-", "request_payload_too_large")
        case .upgradeRefused: return (403, "", "-", "upgrade_failed")
        case .unresolvedHost(let why): return (503, "DNS resolution failure: \(why)", "DF", "dns_resolution_failure")
        case .rateLimited(let status): return (Int(status), "local_rate_limited", "RL", "local_rate_limited")
        case .healthCheck(let status, let details):
            return (Int(status), "", details == "health_check_failed" ? "LH" : "-", details)
        case .badGRPCWeb: return (400, "Bad gRPC-web request, invalid base64 data.", "-", "grpc_base_64_decode_failed")
        case .badCompressedBody: return (400, "the body is not gzip", "-", "request_decompression_failed")
        case .overloaded: return (503, "envoy overloaded", "OM", "overload")
        case .tokenRefused(let status, let text, let details): return (Int(status), text, "UAEX", details)
        case .service(let status, let body, let flag, let details): return (Int(status), body, flag, details)
        }
    }

    /// The `x-weft-config` header: `Kind/namespace/name`.
    static func text(_ provenance: Provenance) -> String {
        let resource = provenance.resource
        return resource.namespace.isEmpty
            ? "\(resource.kind)/\(resource.name)" : "\(resource.kind)/\(resource.namespace)/\(resource.name)"
    }

    /// - Parameter explain: True towards callers inside the mesh, who may know why.
    func head(explain: Bool) -> ResponseHead {
        var headers = HeaderBlock()
        // Without a body the codec tells: HTTP/1 by a length of zero, HTTP/2 by the end of the stream.
        if !body.isEmpty {
            headers.set("content-length", String(body.utf8.count))
            headers.set("content-type", "text/plain")
        }
        if let location { headers.set("location", location) }
        if isOverload { headers.set("x-envoy-overloaded", "true") }
        if explain, code != "direct_response" {
            headers.set("x-weft-reason", code)
            if let provenance { headers.set("x-weft-config", Self.text(provenance)) }
        }
        return ResponseHead(status: UInt16(clamping: status), headers: headers)
    }
}
