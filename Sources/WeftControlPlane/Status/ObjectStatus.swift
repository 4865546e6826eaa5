import WeftConfig
import WeftCore

/// What the control plane writes into the status of one of Istio's objects. Pure.
///
/// Two conditions are ours: `Accepted` (whether translation takes the object, with what was found) and `Reconciled`
/// (whether the proxies that it concerns have it). Others' conditions stay.
enum ObjectStatus {
    static let accepted = "Accepted"
    static let reconciled = "Reconciled"

    /// The status for what is known now, or `nil` when the present one says the same already.
    ///
    /// - Parameters:
    ///   - progress: `nil` while the object is part of no snapshot; what was said of proxies before stays.
    ///   - withCounts: Whether a change of nothing but the number of proxies is worth writing. Proxies come and go all
    ///     the time, and each would be a write to every object.
    static func status(
        for object: KubernetesObject, findings: [Diagnostic], progress: Distribution.Progress?,
        withCounts: Bool = true, now: String
    ) -> JSONValue? {
        let present = object.json["status"]
        let old = present?["conditions"]?.arrayValue ?? []
        var own = [acceptance(findings)]
        if let progress {
            own.append(reconciliation(progress))
        } else if let kept = old.first(where: { $0["type"]?.stringValue == reconciled }) {
            own.append(kept)
        }
        let messages = JSONValue.array(findings.map(message))
        let isSame =
            own.allSatisfy { condition in
                let before = old.first { $0["type"] == condition["type"] }
                return isEqual(before, condition, withCounts: withCounts)
            } && (present?["validationMessages"] ?? []) == messages
        if isSame, present?["observedGeneration"]?.intValue == object.generation { return nil }
        var status = present ?? .object([:])
        let others = old.filter { ![accepted, reconciled].contains($0["type"]?.stringValue ?? "") }
        status["conditions"] = .array(others + own.map { dated($0, old, object.generation, now) })
        status["validationMessages"] = messages
        // Not by a conditional expression: there, nil would be JSON's null.
        if findings.isEmpty { status["validationMessages"] = nil }
        status["observedGeneration"] = .int(Int64(object.generation))
        return status
    }

    private static func isEqual(_ before: JSONValue?, _ now: JSONValue, withCounts: Bool) -> Bool {
        let isCount = now["type"]?.stringValue == reconciled && !withCounts
        return ["status", "reason"].allSatisfy { before?[$0] == now[$0] }
            && (isCount || before?["message"] == now["message"])
    }

    private static func dated(_ condition: JSONValue, _ old: [JSONValue], _ generation: Int, _ now: String)
        -> JSONValue
    {
        let before = old.first { $0["type"] == condition["type"] }
        var condition = condition
        let isSameStatus = before?["status"] == condition["status"]
        condition["lastTransitionTime"] = isSameStatus ? before?["lastTransitionTime"] ?? .string(now) : .string(now)
        condition["observedGeneration"] = .int(Int64(generation))
        return condition
    }

    private static func acceptance(_ findings: [Diagnostic]) -> JSONValue {
        let worst = findings.map(\.severity).max()
        let text = findings.map { diagnostic in
            "\(diagnostic.code): \(diagnostic.path.map { "\($0): " } ?? "")\(diagnostic.message)"
        }
        let (status, reason) =
            switch worst {
            case .error: ("False", "Invalid")
            case .warning: ("True", "Warning")
            case .info, nil: ("True", "Accepted")
            }
        let message = worst == .info ? "" : text.joined(separator: "; ")
        return [
            "type": .string(accepted), "status": .string(status), "reason": .string(reason),
            "message": .string(message),
        ]
    }

    /// The condition that says how many proxies have the object.
    static func reconciliation(_ progress: Distribution.Progress) -> JSONValue {
        var message = "\(progress.confirmed)/\(progress.concerned) proxies up to date."
        if !progress.waiting.isEmpty { message += " Waiting for \(progress.waiting.joined(separator: ", "))." }
        if let refusal = progress.refusal { message += " \(refusal)" }
        let reason = progress.isComplete ? "Reconciled" : progress.refusal == nil ? "Pending" : "Refused"
        return [
            "type": .string(reconciled), "status": .string(progress.isComplete ? "True" : "False"),
            "reason": .string(reason), "message": .string(message),
        ]
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
