import WeftConfig
import WeftCore

/// What the control plane writes into the status of one of Istio's objects. Pure.
enum ObjectStatus {
    static let conditionType = "Reconciled"

    /// The status for these findings, or `nil` when the present one says the same already.
    ///
    /// An object that never had findings gets no status; one that had, and is well now, gets a good condition.
    static func status(for object: KubernetesObject, findings: [Diagnostic], now: String) -> JSONValue? {
        let present = object.json["status"]
        let conditions = present?["conditions"]?.arrayValue ?? []
        let own = conditions.first { $0["type"]?.stringValue == conditionType }
        guard !findings.isEmpty || own != nil else { return nil }
        var condition = condition(findings)
        let messages = JSONValue.array(findings.map(message))
        let isSame =
            ["status", "reason", "message"].allSatisfy { own?[$0] == condition[$0] }
            && (present?["validationMessages"] ?? []) == messages
        if isSame, present?["observedGeneration"]?.intValue ?? object.generation == object.generation { return nil }
        let isSameStatus = own?["status"] == condition["status"]
        condition["lastTransitionTime"] = isSameStatus ? own?["lastTransitionTime"] ?? .string(now) : .string(now)
        var status = present ?? .object([:])
        status["conditions"] = .array(conditions.filter { $0["type"]?.stringValue != conditionType } + [condition])
        status["validationMessages"] = messages
        // Not by a conditional expression: there, nil would be JSON's null.
        if findings.isEmpty { status["validationMessages"] = nil }
        status["observedGeneration"] = .int(Int64(object.generation))
        return status
    }

    private static func condition(_ findings: [Diagnostic]) -> JSONValue {
        let worst = findings.map(\.severity).max()
        let text = findings.map { diagnostic in
            "\(diagnostic.code): \(diagnostic.path.map { "\($0): " } ?? "")\(diagnostic.message)"
        }
        return switch worst {
        case .error:
            [
                "type": .string(conditionType), "status": "False", "reason": "Invalid",
                "message": .string(text.joined(separator: "; ")),
            ]
        case .warning:
            [
                "type": .string(conditionType), "status": "True", "reason": "Warning",
                "message": .string(text.joined(separator: "; ")),
            ]
        case .info, nil: ["type": .string(conditionType), "status": "True", "reason": "Accepted", "message": ""]
        }
    }

    private static func message(_ diagnostic: Diagnostic) -> JSONValue {
        [
            "type": ["code": .string(diagnostic.code), "name": .string(diagnostic.message)],
            "level": .string(diagnostic.severity.rawValue.uppercased()),
            "documentationUrl": .string(
                "https://istio.io/latest/docs/reference/config/analysis/\(diagnostic.code.lowercased())/"),
        ]
    }
}
