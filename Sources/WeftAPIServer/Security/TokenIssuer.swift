import Crypto
import FoundationEssentials
import WeftCore

/// Signs and checks service-account tokens (JWT, ES256).
struct TokenIssuer: Sendable {
    static let issuer = "https://kubernetes.default.svc.cluster.local"
    private let key: P256.Signing.PrivateKey
    let keyID: String

    /// Reads the key, or makes one.
    init(keyFile: String) throws {
        let manager = FileManager.default
        if let data = manager.contents(atPath: keyFile) {
            key = try P256.Signing.PrivateKey(pemRepresentation: String(decoding: data, as: UTF8.self))
        } else {
            key = P256.Signing.PrivateKey()
            try SecretFile.write(key.pemRepresentation, to: keyFile)
        }
        keyID = Base64.url(SHA256.hash(data: key.publicKey.derRepresentation))
    }

    func issue(_ request: ServiceAccountTokenRequest, accountUID: String) throws -> ServiceAccountToken {
        let now = Date()
        let expiry = now.addingTimeInterval(Double(max(60, request.expirationSeconds)))
        let audiences = request.audiences.isEmpty ? [Self.issuer] : request.audiences
        var kubernetes: JSONValue = [
            "namespace": .string(request.namespace),
            "serviceaccount": ["name": .string(request.serviceAccount), "uid": .string(accountUID)],
        ]
        if let pod = request.podName {
            kubernetes["pod"] = ["name": .string(pod), "uid": .string(request.podUID ?? "")]
        }
        let seconds = Int64(now.timeIntervalSince1970)
        let claims: JSONValue = [
            "iss": .string(Self.issuer), "aud": .array(audiences.map { .string($0) }),
            "sub": .string("system:serviceaccount:\(request.namespace):\(request.serviceAccount)"),
            "iat": .int(seconds),
            "nbf": .int(seconds), "exp": .int(Int64(expiry.timeIntervalSince1970)),
            "jti": .string(UUID().uuidString.lowercased()), "kubernetes.io": kubernetes,
        ]
        let header: JSONValue = ["alg": "ES256", "kid": .string(keyID), "typ": "JWT"]
        let text = Base64.url(header.serialized()) + "." + Base64.url(claims.serialized())
        let signature = try key.signature(for: Data(text.utf8))
        return ServiceAccountToken(
            token: text + "." + Base64.url(signature.rawRepresentation),
            expirationTimestamp: KubernetesTime.format(expiry))
    }

    /// The claims of a token that is ours, valid now and meant for one of the audiences; the error says why not.
    func verify(_ token: String, audiences: [String]) throws -> JSONValue {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let raw = Base64.decodeURL(parts[2]), let body = Base64.decodeURL(parts[1]),
            let signature = try? P256.Signing.ECDSASignature(rawRepresentation: raw)
        else { throw WebhookFailure("invalid bearer token") }
        guard key.publicKey.isValidSignature(signature, for: Data("\(parts[0]).\(parts[1])".utf8)) else {
            throw WebhookFailure("invalid bearer token: signature does not match")
        }
        let claims = try JSONValue(parsing: body)
        guard Double(claims.int("exp")) > Date().timeIntervalSince1970 else {
            throw WebhookFailure("token has expired")
        }
        let wanted = audiences.isEmpty ? [Self.issuer] : audiences
        let own = claims["aud"]?.arrayValue?.compactMap(\.stringValue) ?? []
        guard wanted.contains(where: own.contains) else {
            throw WebhookFailure("token audiences \(own) is invalid for the target audiences \(wanted)")
        }
        return claims
    }

    static func user(_ claims: JSONValue) -> UserInfo {
        let kubernetes = claims["kubernetes.io"] ?? [:]
        let namespace = kubernetes.string("namespace")
        var user = UserInfo(
            name: claims.string("sub"),
            groups: ["system:serviceaccounts", "system:serviceaccounts:\(namespace)", "system:authenticated"])
        user.uid = kubernetes.string("serviceaccount", "uid")
        if let pod = kubernetes["pod"] {
            user.extra = [
                "authentication.kubernetes.io/pod-name": [pod.string("name")],
                "authentication.kubernetes.io/pod-uid": [pod.string("uid")],
            ]
        }
        return user
    }
}

/// Files that only their owner may read.
enum SecretFile {
    static func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }
}
