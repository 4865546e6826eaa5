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
    private(set) var entries: [ResourceReference: Entry] = [:]

    /// Notes what a snapshot holds.
    mutating func take(_ objects: [KubernetesObject], number: UInt64) {
        var present: [ResourceReference: Entry] = [:]
        present.reserveCapacity(objects.count)
        for object in objects {
            let (uid, generation) = (object.uid, object.generation)
            if let old = entries[object.reference], old.uid == uid, old.generation == generation {
                present[object.reference] = old
            } else {
                present[object.reference] = Entry(uid: uid, generation: generation, number: number)
            }
        }
        entries = present
    }
}
