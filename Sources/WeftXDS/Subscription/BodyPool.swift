import SwiftProtobuf
import Synchronization

/// Finds the body of a resource that somebody in this process holds already. Holds none itself. Thread-safe.
final class BodyPool: Sendable {
    private struct Entry {
        weak var body: EncodedResource.Body?
    }
    private struct State {
        var entries: [UInt64: Entry] = [:]
        /// How many entries there may be before those that nobody holds any more are looked for.
        var limit = 1024
    }
    private let state = Mutex(State())

    /// How many entries there are, for tests.
    var count: Int { state.withLock { $0.entries.count } }

    /// - Parameter fingerprint: of the bytes. Resources that differ and have the same are not shared.
    func body(_ fingerprint: UInt64, _ any: Google_Protobuf_Any) -> EncodedResource.Body {
        state.withLock { state in
            let known = state.entries[fingerprint]?.body
            if let known, known.any == any { return known }
            let made = EncodedResource.Body(version: String(fingerprint, radix: 16), any: any)
            guard known == nil else { return made }
            if state.entries.count >= state.limit {
                state.entries = state.entries.filter { $0.value.body != nil }
                state.limit = max(1024, state.entries.count * 2)
            }
            state.entries[fingerprint] = Entry(body: made)
            return made
        }
    }
}
