package import WeftConfig
package import WeftCore

/// A condition as it should be; the writer adds since when, and for which generation.
struct GatewayCondition: Sendable, Hashable {
    let type: String
    let status: Bool
    let reason: String
    let message: String

    init(_ type: String, _ status: Bool, _ reason: String, _ message: String = "") {
        self.type = type
        self.status = status
        self.reason = reason
        self.message = message
    }

    /// True with the good reason, or false with the problem's.
    init(_ type: String, good: String, _ problem: ReferenceProblem?) {
        self.init(type, problem == nil, problem?.reason ?? good, problem?.message ?? "")
    }

    var json: JSONValue {
        [
            "type": .string(type), "status": status ? "True" : "False", "reason": .string(reason),
            "message": .string(message),
        ]
    }
}

/// The status that an object of the Gateway API should have.
package struct GatewayStatusEntry: Sendable, Hashable {
    package let resource: ResourceReference
    /// Of the object that the status was made from.
    package let generation: Int
    /// Without times and generations.
    package internal(set) var status: JSONValue
    /// Controllers whose entries in `parents` and `ancestors` are ours; what others wrote stays.
    package let controllers: Set<String>
}

/// Brings a status that should be into the one that an object has. Pure.
package enum GatewayStatusMerge {
    /// - Returns: the whole new status, or `nil` when the present one says the same already, or when the object is no
    ///   longer the one that the status was made from.
    ///
    /// - Parameters:
    ///   - progress: How far proxies are with the object, as a condition of a type that the Gateway API does not have; it
    ///     stands beside each of ours. `nil` leaves what is there.
    ///   - withCounts: Whether a change of nothing but that condition's message is worth writing.
    package static func merged(
        _ entry: GatewayStatusEntry, into object: KubernetesObject, progress: JSONValue? = nil, withCounts: Bool = true,
        now: String
    ) -> JSONValue? {
        var entry = entry
        if let progress { entry.status = adding(progress, to: entry.status) }
        guard let merged = merged(entry, into: object, now: now) else { return nil }
        let type = progress?["type"]
        let isCount = { merged.without(messagesOf: type) == object.json["status"]?.without(messagesOf: type) }
        // Not by a conditional expression: there, nil would be JSON's null.
        if type != nil, !withCounts, isCount() { return nil }
        return merged
    }

    /// `status` with the condition first in each of its lists of conditions, but for those of listeners.
    private static func adding(_ condition: JSONValue, to status: JSONValue) -> JSONValue {
        var result = status
        for list in ["parents", "ancestors"] {
            guard let items = status[list]?.arrayValue else { continue }
            result[list] = .array(items.map { adding(condition, to: $0) })
        }
        if let conditions = status["conditions"]?.arrayValue { result["conditions"] = .array([condition] + conditions) }
        return result
    }

    private static func merged(_ entry: GatewayStatusEntry, into object: KubernetesObject, now: String) -> JSONValue? {
        guard object.generation == entry.generation else { return nil }
        let present = object.json["status"] ?? .object([:])
        var status = present
        for (key, value) in entry.status.objectValue ?? [:] {
            switch key {
            case "parents", "ancestors":
                let others = (present[key]?.arrayValue ?? []).filter {
                    !entry.controllers.contains($0["controllerName"]?.stringValue ?? "")
                }
                let old = present[key]?.arrayValue ?? []
                let reference = key == "parents" ? "parentRef" : "ancestorRef"
                let own = (value.arrayValue ?? []).map { item -> JSONValue in
                    let before = old.first {
                        $0[reference] == item[reference] && $0["controllerName"] == item["controllerName"]
                    }
                    return stamped(item, before: before, object: object, now: now)
                }
                status[key] = .array(others + own)
            case "listeners":
                let old = present[key]?.arrayValue ?? []
                status[key] = .array(
                    (value.arrayValue ?? []).map { item in
                        stamped(item, before: old.first { $0["name"] == item["name"] }, object: object, now: now)
                    })
            case "conditions": break
            default: status[key] = value
            }
        }
        if entry.status["conditions"] != nil {
            status["conditions"] = stamped(entry.status, before: present, object: object, now: now)["conditions"]
        }
        if entry.status["addresses"] == nil, present["addresses"] != nil, entry.status["listeners"] != nil {
            status["addresses"] = nil
        }
        // Not by a conditional expression: there, nil would be JSON's null.
        if status == present { return nil }
        return status
    }

    /// `item` with conditions that carry generation and time; the time is kept where the status did not change.
    private static func stamped(_ item: JSONValue, before: JSONValue?, object: KubernetesObject, now: String)
        -> JSONValue
    {
        let old = before?["conditions"]?.arrayValue ?? []
        var item = item
        let wanted = item["conditions"]?.arrayValue ?? []
        let types = Set(wanted.compactMap { $0["type"]?.stringValue })
        // Conditions of types that nobody here writes belong to somebody else.
        let foreign = old.filter { ($0["type"]?.stringValue).map { !types.contains($0) && !own.contains($0) } ?? false }
        item["conditions"] = .array(
            foreign
                + wanted.map { condition in
                    var condition = condition
                    let same = old.first { $0["type"] == condition["type"] }
                    condition["observedGeneration"] = .int(Int64(object.generation))
                    condition["lastTransitionTime"] =
                        same?["status"] == condition["status"]
                        ? same?["lastTransitionTime"] ?? .string(now) : .string(now)
                    return condition
                })
        return item
    }

    private static let own: Set<String> = [
        "Accepted", "Programmed", "ResolvedRefs", "Conflicted", "PartiallyInvalid", "InsecureFrontendValidationMode",
        "OverlappingTLSConfig", "SupportedVersion",
    ]
}

extension JSONValue {
    /// The same without the messages of conditions of one type, at any depth.
    fileprivate func without(messagesOf type: JSONValue?) -> JSONValue {
        switch self {
        case .array(let elements): return .array(elements.map { $0.without(messagesOf: type) })
        case .object(var members):
            if members["type"] == type, members["reason"] != nil { members["message"] = nil }
            return .object(members.mapValues { $0.without(messagesOf: type) })
        default: return self
        }
    }
}
