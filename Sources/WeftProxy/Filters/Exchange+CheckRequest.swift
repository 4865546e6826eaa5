import CWeftLinux
import FoundationEssentials
import NIOCore
import SwiftProtobuf
import WeftHTTP
import WeftIR
import WeftProto
import WeftRouting
import WeftTransport

/// What an authorization service is told about a request (`envoy.service.auth.v3.AttributeContext`).
extension Exchange {
    func checkRequest(_ question: PermissionQuestion) -> Envoy_Service_Auth_V3_CheckRequest {
        var check = Envoy_Service_Auth_V3_CheckRequest()
        let info = connection.connection.info
        check.attributes.source.address.socketAddress.address = info.remoteIP
        check.attributes.source.address.socketAddress.portValue = UInt32(info.remotePort)
        check.attributes.destination.address.socketAddress.address = info.destinationIP
        check.attributes.destination.address.socketAddress.portValue = UInt32(info.destinationPort)
        if let peer = info.peer {
            check.attributes.source.principal = peer.principal ?? peer.subject
            if question.settings.includesPeerCertificate {
                check.attributes.source.certificate = Self.percentEncodedPEM(peer.certificateDER)
            }
        }
        if info.isTLS, let own = worker.localPrincipal { check.attributes.destination.principal = own }
        if question.settings.includesTLSSession, info.isTLS { check.attributes.tlsSession.sni = info.serverName }
        check.attributes.request.time = startTime
        check.attributes.request.http = httpAttributes(question)
        check.attributes.contextExtensions = question.route?.contextExtensions ?? [:]
        check.attributes.metadataContext = .init()
        for name in question.settings.metadataNamespaces {
            guard case .object(let members)? = filterState?.metadata[name] else { continue }
            check.attributes.metadataContext.filterMetadata[name] = .init(fields: members.mapValues(\.wire))
        }
        check.attributes.routeMetadataContext = .init()
        return check
    }

    private var startTime: Google_Protobuf_Timestamp {
        let elapsed = (NIODeadline.now() - record.started).nanoseconds / 1_000_000
        let milliseconds = weft_wall_clock_milliseconds() - elapsed
        var time = Google_Protobuf_Timestamp()
        time.seconds = milliseconds / 1_000
        time.nanos = Int32(milliseconds % 1_000) * 1_000_000
        return time
    }

    private func httpAttributes(
        _ question: PermissionQuestion
    ) -> Envoy_Service_Auth_V3_AttributeContext.HttpRequest {
        var http = Envoy_Service_Auth_V3_AttributeContext.HttpRequest()
        http.id = String(worker.decisions.next())
        http.method = head.method.description
        http.path = head.target
        http.host = head.host
        http.scheme = head.scheme.rawValue
        http.protocol = "\(original.version.name)"
        let shown = question.settings.body.flatMap { settings in shownBody(settings).map { (settings, $0) } }
        http.size = original.isUpgrade || requestEnded && bodyBytes == 0 ? 0 : Int64(bodyBytes)
        if let (settings, body) = shown {
            if settings.packsAsBytes {
                http.rawBody = Data(body.bytes.readableBytesView)
            } else {
                http.body = String(buffer: body.bytes)
            }
        }
        setHeaders(&http, question, isPartial: shown?.1.isPartial)
        return http
    }

    private func setHeaders(
        _ http: inout Envoy_Service_Auth_V3_AttributeContext.HttpRequest, _ question: PermissionQuestion,
        isPartial: Bool?
    ) {
        let hidden = "x-envoy-auth-partial-body"
        let selection = question.authorizer.selection
        var fields = head.pseudoFields + head.headers.fields.map { ($0.name.lowercased(), $0.value) }
        fields = fields.filter { $0.0 != hidden && selection.shows($0.0) }
        if let isPartial { fields.append((hidden, isPartial ? "true" : "false")) }
        guard !question.settings.encodesRawHeaders else {
            http.headerMap.headers = fields.map { name, value in
                var wire = Envoy_Config_Core_V3_HeaderValue()
                wire.key = name
                wire.rawValue = Data(value.utf8)
                return wire
            }
            return
        }
        for (name, value) in fields { http.headers[name] = http.headers[name].map { "\($0),\(value)" } ?? value }
    }

    /// PEM in percent-encoding, as `x-forwarded-client-cert` has it.
    static func percentEncodedPEM(_ der: [UInt8]) -> String {
        let base64 = Array(Data(der).base64EncodedString())
        var lines = ["-----BEGIN CERTIFICATE-----"]
        for start in stride(from: 0, to: base64.count, by: 64) {
            lines.append(String(base64[start..<min(start + 64, base64.count)]))
        }
        lines.append("-----END CERTIFICATE-----\n")
        return QueryEditor.encoded(lines.joined(separator: "\n"))
    }
}

extension RequestHead {
    /// The pseudo headers as HTTP/2 has them.
    var pseudoFields: [(String, String)] {
        [(":authority", host), (":path", target), (":method", method.description), (":scheme", scheme.rawValue)]
    }
}
