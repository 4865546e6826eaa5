/// Why a try at an upstream ended without a whole response, in Envoy's words.
enum UpstreamResetReason {
    case overflow
    case connectionFailure
    case connectionTimeout
    case connectionTermination
    case remoteReset
    case remoteRefused
    case protocolError

    var words: String {
        switch self {
        case .overflow: "overflow"
        case .connectionFailure: "remote connection failure"
        case .connectionTimeout: "connection timeout"
        case .connectionTermination: "connection termination"
        case .remoteReset: "remote reset"
        case .remoteRefused: "remote refused stream reset"
        case .protocolError: "protocol error"
        }
    }

    /// Envoy's response flag.
    var flag: String {
        switch self {
        case .overflow: "UO"
        case .connectionFailure, .connectionTimeout: "UF"
        case .connectionTermination: "UC"
        case .remoteReset, .remoteRefused: "UR"
        case .protocolError: "UPE"
        }
    }

    /// `response_code_details`: without blanks.
    /// - Parameter transport: What the operating system or TLS said.
    func details(_ moment: String, transport: String? = nil) -> String {
        let inside = transport.map { "\(words)|\($0)" } ?? words
        return "\(moment){\(String(inside.map { $0 == " " ? "_" : $0 }))}"
    }

    /// Status, body, flag and details of the reply.
    func reply(transport: String?, isRetry: Bool) -> (Int, String, String, String) {
        let again = isRetry ? "retried and the latest " : ""
        return (
            self == .protocolError ? 502 : 503,
            "upstream connect error or disconnect/reset before headers. \(again)reset reason: \(words)", flag,
            details("upstream_reset_before_response_started", transport: transport)
        )
    }
}
