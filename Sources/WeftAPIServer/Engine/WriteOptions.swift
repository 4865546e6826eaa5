import Synchronization
import WeftCore

/// Who asks.
package struct UserInfo: Sendable, Hashable {
    package var name: String
    package var groups: [String]
    package var uid: String = ""
    package var extra: [String: [String]] = [:]

    package static let system = UserInfo(
        name: "system:kube-controller-manager", groups: ["system:masters", "system:authenticated"])
    package static let anonymous = UserInfo(name: "system:anonymous", groups: ["system:unauthenticated"])

    var json: JSONValue {
        var json: JSONValue = ["username": .string(name), "groups": .array(groups.map { .string($0) })]
        if !uid.isEmpty { json["uid"] = .string(uid) }
        if !extra.isEmpty { json["extra"] = .object(extra.mapValues { .array($0.map { .string($0) }) }) }
        return json
    }
}

/// What a write is to do beside its body.
struct WriteOptions: Sendable {
    var user: UserInfo
    var dryRun = false
    /// `Strict`, `Warn` or `Ignore`.
    var fieldValidation = "Warn"
    var fieldManager = "weft"
    var force = false
    var subresource = ""
    /// Where the write puts what its caller should know beside the result.
    var warnings = WarningList()

    init(user: UserInfo) { self.user = user }
}

/// What a request tells its caller beside the result, sent as `Warning` headers (RFC 7234 section 5.5). Thread-safe.
final class WarningList: Sendable {
    private let texts = Mutex<[String]>([])
    func append(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
}
