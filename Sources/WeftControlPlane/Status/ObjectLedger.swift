import WeftConfig
import WeftCore

/// Since which snapshot each configuration object is in force as it is now.
struct ObjectLedger: Sendable {
    struct Entry: Sendable, Hashable {
        var uid: String
        var generation: Int
        /// Of the snapshot in which the object came in this form.
        var number: UInt64
    }
    /// Istio and the Gateway API have kinds of one name.
    private struct Key: Hashable {
        var group: String
        var resource: ResourceReference

        init(_ object: KubernetesObject) {
            group = object.group
            resource = object.reference
        }
    }
    private var entries: [Key: Entry] = [:]

    /// Since when the object is in force in the form that it has now; `nil` if it is not, or not yet.
    func entry(of object: KubernetesObject) -> Entry? {
        guard let entry = entries[Key(object)], entry.uid == object.uid, entry.generation == object.generation else {
            return nil
        }
        return entry
    }

    /// Notes what a snapshot holds.
    mutating func take(_ objects: [KubernetesObject], number: UInt64) {
        var present: [Key: Entry] = [:]
        present.reserveCapacity(objects.count)
        for object in objects {
            if let old = entry(of: object) {
                present[Key(object)] = old
            } else {
                present[Key(object)] = Entry(
                    uid: object.uid, generation: object.generation, number: number)
            }
        }
        entries = present
    }
}
