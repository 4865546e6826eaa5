import NIOHTTP1
import WeftCore

/// `Impersonate-User`, `-Group` and `-Uid` headers: `kubectl --as`.
enum Impersonation {
    /// - Throws: ``APIError`` with code 403 when the caller may not speak for that user, or 400 for a group alone.
    static func apply(_ headers: HTTPHeaders, to caller: UserInfo, _ authorizer: Authorizer) throws -> UserInfo {
        let groups = headers["impersonate-group"]
        guard let name = headers.first(name: "impersonate-user"), !name.isEmpty else {
            if groups.isEmpty { return caller }
            throw APIError.badRequest("requested impersonation of groups without impersonating a user")
        }
        let account = name.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let isAccount = account.count == 4 && name.hasPrefix("system:serviceaccount:")
        try authorizer.require(
            isAccount
                ? AccessRequest(
                    verb: "impersonate", group: "", resource: "serviceaccounts", namespace: account[2],
                    name: account[3])
                : AccessRequest(verb: "impersonate", group: "", resource: "users", name: name), for: caller)
        for group in groups {
            try authorizer.require(
                AccessRequest(verb: "impersonate", group: "", resource: "groups", name: group), for: caller)
        }
        var user = UserInfo(name: name, groups: groups)
        user.uid = headers.first(name: "impersonate-uid") ?? ""
        if isAccount, groups.isEmpty {
            user.groups = ["system:serviceaccounts", "system:serviceaccounts:\(account[2])"]
        }
        let state = name == UserInfo.anonymous.name ? "system:unauthenticated" : "system:authenticated"
        if !user.groups.contains(state) { user.groups.append(state) }
        return user
    }
}
