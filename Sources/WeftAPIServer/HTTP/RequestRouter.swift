import FoundationEssentials
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import SwiftASN1
import WeftConfig
import WeftCore
import X509

/// Answers each request: discovery, health, or a resource.
final class RequestRouter: Sendable {
    let engine: APIEngine
    let backend: (any PodBackend)?
    let logger: Logger

    init(engine: APIEngine, backend: (any PodBackend)?, logger: Logger) {
        self.engine = engine
        self.backend = backend
        self.logger = logger
    }

    func serve(_ request: APIRequest, _ writer: ResponseWriter, tooLarge: Bool) async {
        let warnings = WarningList()
        do {
            if tooLarge {
                throw APIError(
                    code: 413, reason: "RequestEntityTooLarge",
                    message: "Request entity too large: limit is \(ConnectionHandler.bodyLimit)")
            }
            var request = request
            request.user = try await authenticate(request, writer.channel)
            try await answer(request, writer, warnings)
        } catch let error as APIError {
            try? await writer.send(error.status, status: error.code, warnings: warnings.all)
        } catch {
            if Task.isCancelled { return }
            logger.error("request failed: \(error)")
            let status = APIError.internalError("\(error)")
            try? await writer.send(status.status, status: status.code)
        }
    }

    /// Who the caller is: by client certificate, by service-account token, or nobody.
    func authenticate(_ request: APIRequest, _ channel: any Channel) async throws -> UserInfo {
        if let header = request.headers.first(name: "authorization"), header.lowercased().hasPrefix("bearer ") {
            guard let claims = try? engine.tokens.verify(String(header.dropFirst(7)).trimmed, audiences: []) else {
                throw APIError(code: 401, reason: "Unauthorized", message: "Unauthorized")
            }
            return TokenIssuer.user(claims)
        }
        guard let peer = try? await channel.nioSSL_peerCertificate().get(), let der = try? peer.toDERBytes(),
            let certificate = try? Certificate(derEncoded: der)
        else { return .anonymous }
        var user = UserInfo(name: "", groups: [])
        for part in certificate.subject {
            for attribute in part {
                if attribute.type == .RDNAttributeType.commonName { user.name = "\(attribute.value)" }
                if attribute.type == .RDNAttributeType.organizationName { user.groups.append("\(attribute.value)") }
            }
        }
        user.groups.append("system:authenticated")
        return user
    }

    private func answer(_ request: APIRequest, _ writer: ResponseWriter, _ warnings: WarningList) async throws {
        let path = request.path
        switch path.first {
        case "healthz", "livez", "readyz":
            return try await writer.send(.ok, type: "text/plain; charset=utf-8", body: ByteBuffer(string: "ok"))
        case "version": return try await writer.send(Discovery.version)
        default: break
        }
        if request.user == .anonymous {
            throw APIError(
                code: 403, reason: "Forbidden",
                message:
                    "forbidden: User \"system:anonymous\" cannot \(request.method.rawValue.lowercased()) path \"/\(path.joined(separator: "/"))\"",
                details: [:])
        }
        if path == ["openapi", "v2"], request.accept.contains("protobuf") {
            return try await writer.send(
                .ok, type: OpenAPI.protobufType, body: ByteBuffer(bytes: OpenAPI.protobufDocument))
        }
        if let (document, type) = try Discovery.answer(request, engine.registry) {
            return try await writer.send(document, type: type)
        }
        guard let target = ResourceTarget(path) else { throw APIError.noSuchPath }
        try await ResourceHandler(router: self, request: request, target: target, writer: writer, warnings: warnings)
            .run()
    }
}

/// What a resource's URL says.
struct ResourceTarget: Sendable {
    var resource: ResourceID
    var namespace: String?
    var name: String?
    /// What follows the name: `status`, `log`, `proxy` and its path.
    var rest: [String] = []

    init?(_ path: [String]) {
        var rest = path[...]
        let group: String
        switch rest.popFirst() {
        case "api": group = ""
        case "apis": group = rest.popFirst() ?? ""
        default: return nil
        }
        guard let version = rest.popFirst(), let first = rest.first else { return nil }
        if first == "namespaces", rest.count >= 3, !["status", "finalize"].contains(rest[rest.startIndex + 2]) {
            namespace = rest[rest.startIndex + 1]
            rest = rest.dropFirst(2)
        }
        guard let plural = rest.popFirst() else { return nil }
        resource = ResourceID(group: group, version: version, resource: plural)
        name = rest.popFirst()
        self.rest = Array(rest)
    }
}
