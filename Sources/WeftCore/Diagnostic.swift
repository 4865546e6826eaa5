/// A place in a text that a person wrote: file, line and column, counting from 1.
package struct SourceLocation: Sendable, Hashable, Codable {
    package var file: String?
    package var line: Int
    package var column: Int?

    package init(file: String? = nil, line: Int, column: Int? = nil) {
        self.file = file
        self.line = line
        self.column = column
    }
}

/// The object that a diagnostic, a route or a refusal comes from. Written `Kind namespace/name` where people read it.
package struct ResourceReference: Sendable, Hashable, Codable, CustomStringConvertible {
    package var kind: String
    /// Empty for cluster-scoped objects.
    package var namespace: String
    package var name: String

    package init(kind: String, namespace: String = "", name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    package var description: String { namespace.isEmpty ? "\(kind) \(name)" : "\(kind) \(namespace)/\(name)" }
}

/// One finding about what a user configured: never thrown, always accumulated, and shown where the user looks.
package struct Diagnostic: Sendable, Hashable, Codable {
    package enum Severity: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
        case info = "Info"
        case warning = "Warning"
        case error = "Error"

        package static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }
        private var rank: Int {
            switch self {
            case .info: 0
            case .warning: 1
            case .error: 2
            }
        }
    }

    package var severity: Severity
    /// A stable code, Istio's where Istio has one (`IST0101`).
    package var code: String
    package var resource: ResourceReference?
    /// The field, as Kubernetes writes it: `spec.http[0].route[1].weight`.
    package var path: String?
    package var location: SourceLocation?
    /// What is wrong and why; a hint on what to do next follows in ``hint``.
    package var message: String
    package var hint: String?

    package init(
        _ severity: Severity, code: String, resource: ResourceReference? = nil, path: String? = nil,
        location: SourceLocation? = nil, message: String, hint: String? = nil
    ) {
        self.severity = severity
        self.code = code
        self.resource = resource
        self.path = path
        self.location = location
        self.message = message
        self.hint = hint
    }
}
