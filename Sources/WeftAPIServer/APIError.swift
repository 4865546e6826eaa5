package import WeftCore

/// A refusal in the form that Kubernetes clients know (`meta.v1.Status`).
package struct APIError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The HTTP status.
    package var code: Int
    /// One of Kubernetes' reasons: `NotFound`, `AlreadyExists`, `Conflict`, `Invalid` …
    package var reason: String
    package var message: String
    package var details: JSONValue?

    package init(code: Int, reason: String, message: String, details: JSONValue? = nil) {
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
    }

    package var description: String { message }
    package var isNotFound: Bool { reason == "NotFound" }
    package var isConflict: Bool { reason == "Conflict" }
    package var isAlreadyExists: Bool { reason == "AlreadyExists" }

    /// The `Status` object.
    package var status: JSONValue {
        var status: JSONValue = [
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "message": .string(message),
            "reason": .string(reason), "code": .int(Int64(code)),
        ]
        if let details { status["details"] = details }
        return status
    }
}

extension APIError {
    private static func details(_ resource: ResourceID, _ name: String) -> JSONValue {
        var details: JSONValue = ["name": .string(name), "kind": .string(resource.resource)]
        if !resource.group.isEmpty { details["group"] = .string(resource.group) }
        return details
    }

    package static func notFound(_ resource: ResourceID, _ name: String) -> APIError {
        APIError(
            code: 404, reason: "NotFound", message: "\(resource) \"\(name)\" not found",
            details: details(resource, name))
    }

    package static let noSuchPath = APIError(
        code: 404, reason: "NotFound", message: "the server could not find the requested resource", details: [:])

    package static func alreadyExists(_ resource: ResourceID, _ name: String) -> APIError {
        APIError(
            code: 409, reason: "AlreadyExists", message: "\(resource) \"\(name)\" already exists",
            details: details(resource, name))
    }

    package static func conflict(_ resource: ResourceID, _ name: String, _ why: String = staleObject) -> APIError {
        APIError(
            code: 409, reason: "Conflict", message: "Operation cannot be fulfilled on \(resource) \"\(name)\": \(why)",
            details: details(resource, name))
    }

    package static let staleObject =
        "the object has been modified; please apply your changes to the latest version and try again"

    package static func badRequest(_ message: String) -> APIError {
        APIError(code: 400, reason: "BadRequest", message: message)
    }

    package static func internalError(_ message: String) -> APIError {
        APIError(
            code: 500, reason: "InternalError", message: "Internal error occurred: \(message)",
            details: ["causes": [["message": .string(message)]]])
    }

    package static func forbidden(_ resource: ResourceID, _ name: String, _ why: String) -> APIError {
        APIError(
            code: 403, reason: "Forbidden", message: "\(resource) \"\(name)\" is forbidden: \(why)",
            details: details(resource, name))
    }

    package static func expired(_ version: Int, _ oldest: Int) -> APIError {
        APIError(code: 410, reason: "Expired", message: "too old resource version: \(version) (\(oldest))")
    }

    package static let methodNotAllowed = APIError(
        code: 405, reason: "MethodNotAllowed",
        message: "the server does not allow this method on the requested resource",
        details: [:])

    /// `The Deployment "x" is invalid: …`
    package static func invalid(kind: String, group: String, name: String, _ problems: [FieldProblem]) -> APIError {
        let texts = problems.map(\.description)
        let joined = texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]"
        let full = group.isEmpty ? kind : "\(kind).\(group)"
        return APIError(
            code: 422, reason: "Invalid", message: "\(full) \"\(name)\" is invalid: \(joined)",
            details: [
                "name": .string(name), "group": .string(group), "kind": .string(kind),
                "causes": .array(
                    problems.map {
                        [
                            "reason": .string($0.causeReason), "message": .string($0.text),
                            "field": .string($0.path),
                        ]
                    }),
            ])
    }
}

/// One thing wrong with one field, in the words of Kubernetes' `field.Error`.
package struct FieldProblem: Sendable, Hashable, CustomStringConvertible {
    enum Kind: Hashable {
        case invalid(JSONValue), required, duplicate(JSONValue), notSupported(JSONValue, [String]), forbidden
        case typeInvalid(JSONValue), tooLong
    }
    var kind: Kind
    var path: String
    var detail: String

    static func invalid(_ path: String, _ value: JSONValue, _ detail: String) -> FieldProblem {
        FieldProblem(kind: .invalid(value), path: path, detail: detail)
    }
    static func required(_ path: String, _ detail: String = "") -> FieldProblem {
        FieldProblem(kind: .required, path: path, detail: detail)
    }

    var causeReason: String {
        switch kind {
        case .invalid: "FieldValueInvalid"
        case .required: "FieldValueRequired"
        case .duplicate: "FieldValueDuplicate"
        case .notSupported: "FieldValueNotSupported"
        case .forbidden: "FieldValueForbidden"
        case .typeInvalid: "FieldValueTypeInvalid"
        case .tooLong: "FieldValueTooLong"
        }
    }

    var text: String {
        let head: String =
            switch kind {
            case .invalid(let value), .typeInvalid(let value): "Invalid value: \(value.text())"
            case .required: "Required value"
            case .duplicate(let value): "Duplicate value: \(value.text())"
            case .notSupported(let value, let allowed):
                "Unsupported value: \(value.text()): supported values: "
                    + allowed.map { "\"\($0)\"" }.joined(separator: ", ")
            case .forbidden: "Forbidden"
            case .tooLong: "Too long"
            }
        return detail.isEmpty ? head : "\(head): \(detail)"
    }

    package var description: String { "\(path): \(text)" }
}
