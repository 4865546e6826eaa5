import WeftConfig
import WeftCore

/// Answers the API server's `AdmissionReview` for Istio's kinds: refused with field and reason, or taken with warnings.
enum ValidationReview {
    /// - Parameter validate: what is wrong with an object.
    static func answer(_ review: JSONValue, validate: (KubernetesObject) -> [Diagnostic]) -> (
        response: JSONValue, allowed: Bool
    ) {
        guard let request = review["request"], let uid = request["uid"]?.stringValue else {
            let status: JSONValue = ["code": 400, "message": "the AdmissionReview has no request with a uid"]
            return (wrapped(["uid": "", "allowed": false, "status": status]), false)
        }
        guard let object = request["object"], object.objectValue != nil, request["operation"]?.stringValue != "DELETE"
        else {
            return (wrapped(["uid": .string(uid), "allowed": true]), true)
        }
        let findings = validate(KubernetesObject(object))
        var response: JSONValue = ["uid": .string(uid)]
        let warnings = findings.filter { $0.severity == .warning }
        if !warnings.isEmpty { response["warnings"] = .array(warnings.map { .string(text($0)) }) }
        let errors = findings.filter { $0.severity == .error }
        response["allowed"] = .bool(errors.isEmpty)
        if !errors.isEmpty { response["status"] = status(errors) }
        return (wrapped(response), errors.isEmpty)
    }

    private static func status(_ errors: [Diagnostic]) -> JSONValue {
        let causes = errors.map { error -> JSONValue in
            [
                "reason": "FieldValueInvalid", "field": .string(error.path ?? ""), "message": .string(error.message),
            ]
        }
        return [
            "code": 422, "reason": "Invalid", "message": .string(errors.map(text).joined(separator: "; ")),
            "details": ["causes": .array(causes)],
        ]
    }

    private static func text(_ diagnostic: Diagnostic) -> String {
        var text = diagnostic.path.map { "\($0): " } ?? ""
        text += diagnostic.message
        if let hint = diagnostic.hint { text += " (\(hint))" }
        return text
    }

    private static func wrapped(_ response: JSONValue) -> JSONValue {
        ["apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response]
    }
}
