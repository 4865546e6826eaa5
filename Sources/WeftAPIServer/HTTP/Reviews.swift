import WeftCore

/// Questions that are asked by creating an object: who is this token, may I do this.
enum Reviews {
    static func answer(_ info: ResourceInfo, _ request: APIRequest, _ engine: APIEngine) throws -> JSONValue {
        var review = try request.json()
        review["kind"] = .string(info.kind)
        review["apiVersion"] = .string("\(info.group)/v1")
        switch info.kind {
        case "TokenReview":
            let audiences = review[path: "spec", "audiences"]?.arrayValue?.compactMap(\.stringValue) ?? []
            do {
                let claims = try engine.tokens.verify(review.string("spec", "token"), audiences: audiences)
                try checkBinding(claims, engine)
                let own = claims["aud"]?.arrayValue ?? []
                let shared = own.filter { audiences.isEmpty || audiences.contains($0.stringValue ?? "") }
                review["status"] = [
                    "authenticated": true, "user": TokenIssuer.user(claims).json, "audiences": .array(shared),
                ]
            } catch {
                let text = (error as? WebhookFailure)?.message ?? "\(error)"
                review["status"] = ["authenticated": false, "error": .string(text)]
            }
        case "SelfSubjectReview": review["status"] = ["userInfo": request.user.json]
        case "SelfSubjectRulesReview":
            let rules = engine.authorizer.rules(of: request.user, namespace: review.string("spec", "namespace"))
            review["status"] = [
                "resourceRules": .array(rules.filter { !$0.resources.isEmpty }.map(\.json)),
                "nonResourceRules": .array(rules.filter { !$0.nonResourceURLs.isEmpty }.map(\.json)),
                "incomplete": false,
            ]
        default: try review["status"] = access(info, review, request, engine)
        }
        return review
    }

    /// SelfSubjectAccessReview, SubjectAccessReview and LocalSubjectAccessReview.
    private static func access(
        _ info: ResourceInfo, _ review: JSONValue, _ request: APIRequest, _ engine: APIEngine
    ) throws -> JSONValue {
        var user = request.user
        if info.kind != "SelfSubjectAccessReview" {
            user = UserInfo(
                name: review.string("spec", "user"),
                groups: review[path: "spec", "groups"]?.arrayValue?.compactMap(\.stringValue) ?? [])
            guard !user.name.isEmpty || !user.groups.isEmpty else {
                throw APIError.invalid(
                    kind: info.kind, group: info.group, name: "",
                    [.required("spec.user", "at least one of user or group must be specified")])
            }
        }
        let wanted: AccessRequest
        if let attributes = review[path: "spec", "resourceAttributes"] {
            wanted = AccessRequest(
                verb: attributes.string("verb"), group: attributes.string("group"),
                resource: attributes.string("resource"), subresource: attributes.string("subresource"),
                namespace: attributes.string("namespace"), name: attributes.string("name"))
        } else if let attributes = review[path: "spec", "nonResourceAttributes"] {
            wanted = AccessRequest(verb: attributes.string("verb"), path: attributes.string("path"))
        } else {
            throw APIError.invalid(
                kind: info.kind, group: info.group, name: "",
                [.required("spec.resourceAttributes", "one of resourceAttributes or nonResourceAttributes is required")]
            )
        }
        guard let reason = engine.authorizer.reason(wanted, for: user) else {
            return ["allowed": false]
        }
        return ["allowed": true, "reason": .string(reason)]
    }

    /// A token dies with its account and its pod.
    static func checkBinding(_ claims: JSONValue, _ engine: APIEngine) throws {
        let kubernetes = claims["kubernetes.io"] ?? [:]
        let namespace = kubernetes.string("namespace")
        for (key, resource) in [("serviceaccount", ResourceID.serviceAccounts), ("pod", .pods)] {
            guard let bound = kubernetes[key] else { continue }
            let object = try? engine.get(resource, namespace: namespace, name: bound.string("name"))
            guard object?[path: "metadata", "uid"] == bound["uid"] else {
                throw WebhookFailure("the token's \(key) \(namespace)/\(bound.string("name")) does not exist any more")
            }
        }
    }
}
