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
            let all: JSONValue = [["verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]]]
            review["status"] = [
                "resourceRules": all, "nonResourceRules": [["verbs": ["*"], "nonResourceURLs": ["*"]]],
                "incomplete": false,
            ]
        default:
            review["status"] = ["allowed": true, "reason": "every authenticated user is allowed in the local node"]
        }
        return review
    }

    /// A token dies with its account and its pod.
    private static func checkBinding(_ claims: JSONValue, _ engine: APIEngine) throws {
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
