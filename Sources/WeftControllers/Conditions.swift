package import WeftCore

/// Sets a condition in a status; the transition time changes only with the status, so an equal condition is no write.
func setCondition(
    _ conditions: inout [JSONValue], type: String, _ isTrue: Bool, reason: String, message: String, now: String
) {
    let status: JSONValue = isTrue ? "True" : "False"
    let index = conditions.firstIndex { $0["type"]?.stringValue == type }
    let old = index.map { conditions[$0] }
    var new: JSONValue = [
        "type": .string(type), "status": status, "reason": .string(reason), "message": .string(message),
        "lastTransitionTime": .string(now), "lastUpdateTime": .string(now),
    ]
    if let old, old["status"] == status {
        new["lastTransitionTime"] = old["lastTransitionTime"]
        if old["reason"] == new["reason"], old["message"] == new["message"] {
            new["lastUpdateTime"] = old["lastUpdateTime"]
        }
    }
    if let index { conditions[index] = new } else { conditions.append(new) }
}

extension JSONValue {
    static func number(_ value: Int) -> JSONValue { .int(Int64(value)) }
    static func texts(_ values: [String: String]) -> JSONValue { .object(values.mapValues { .string($0) }) }
}

/// A short, stable name for a value: 10 letters and digits that spell no word.
package func stableHash(_ value: JSONValue) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in value.serialized() { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
    return String(
        (0..<10).map { _ in
            defer { hash /= UInt64(alphabet.count) }
            return alphabet[Int(hash % UInt64(alphabet.count))]
        })
}
