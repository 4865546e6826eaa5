import Foundation
import SwiftProtobuf
import Testing

@testable import WeftXDS

/// Equal resources are one in memory, for as long as somebody holds one.
@Suite struct BodyPoolTests {
    private func any(_ text: String, type: String = "type.googleapis.com/a.B") -> Google_Protobuf_Any {
        var any = Google_Protobuf_Any()
        any.typeURL = type
        any.value = Data(text.utf8)
        return any
    }

    @Test func equalBytesOfOneTypeAreShared() {
        let pool = BodyPool()
        let first = pool.body(1, any("x"))
        #expect(pool.body(1, any("x")) === first)
        let other = pool.body(2, any("y"))
        #expect(other !== first)
        #expect(pool.count == 2)
    }

    /// A fingerprint is no proof: what differs is never shared, and the first keeps its place.
    @Test func aCollisionIsNotShared() {
        let pool = BodyPool()
        let first = pool.body(1, any("x"))
        for stranger in [any("y"), any("x", type: "type.googleapis.com/a.C")] {
            let body = pool.body(1, stranger)
            #expect(body !== first)
            #expect(body.any == stranger)
        }
        #expect(pool.body(1, any("x")) === first)
    }

    @Test func whatNobodyHoldsIsForgotten() {
        let pool = BodyPool()
        let held = pool.body(0, any("0"))
        for number in 1...100_000 { _ = pool.body(UInt64(number), any("\(number)")) }
        #expect(pool.count <= 1024)
        #expect(pool.body(0, any("0")) === held)
    }
}
