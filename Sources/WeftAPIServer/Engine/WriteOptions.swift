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

    init(user: UserInfo) { self.user = user }
}

/// What a write may tell its caller beside the result: `Warning` headers.
final class WarningSink: Sendable {
    @TaskLocal static var current: (@Sendable (String) -> Void)?
}
