import Foundation
import WeftProto

/// Says of a message's bytes that all their fields are known and have their effect, without decoding them.
///
/// A look at the tags instead of a walk through the decoded message (``FieldVisitor``), for resources that come in
/// thousands. What it is not sure about the visitor decides. Immutable; made from ``FieldSchema`` once, for the messages
/// that `root` can hold.
struct WireShape: Sendable {
    /// What a field number means in one message.
    private enum Meaning: Sendable {
        /// Not known, or not obeyed.
        case unsure
        case leaf
        /// A message: a place in ``messages``.
        case message(Int)
    }
    /// By field number, for each message.
    private let messages: [[Meaning]]
    /// Deeper messages are the visitor's.
    private static let depthLimit = 32

    /// Of `google.protobuf`, which the schema leaves out: how many fields each has.
    private static let wellKnown: [String: Int] = {
        var known = ["Duration": 2, "Timestamp": 2, "Any": 2, "Empty": 0, "Struct": 1, "Value": 6, "ListValue": 1]
        for name in ["Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64"] {
            known[name + "Value"] = 1
        }
        return known
    }()

    /// - Parameter root: Full name of a message.
    init(of root: String, _ schema: FieldSchema = FieldSchema(parsing: FieldTable.text.description)) {
        var places = [root: 0]
        var order = [root]
        var messages: [[Meaning]] = []
        while messages.count < order.count {
            let name = order[messages.count]
            var meanings: [Meaning] = []
            for (number, type) in Self.fields(of: name, schema) {
                while meanings.count <= number { meanings.append(.unsure) }
                guard let type else {
                    meanings[number] = .leaf
                    continue
                }
                if places[type] == nil {
                    places[type] = order.count
                    order.append(type)
                }
                meanings[number] = places[type].map { .message($0) } ?? .unsure
            }
            messages.append(meanings)
        }
        self.messages = messages
    }

    /// The fields that need no judgement, with the message that each holds; `nil` is a scalar.
    private static func fields(of name: String, _ schema: FieldSchema) -> [(number: Int, type: String?)] {
        guard let message = schema.messages[name] else {
            let google = "google.protobuf."
            let count = name.hasPrefix(google) ? wellKnown[String(name.dropFirst(google.count))] ?? 0 : 0
            return (0..<count).map { ($0 + 1, nil) }
        }
        let entries = FieldSupport.shared.entries(of: name) ?? [:]
        return message.fields.compactMap { field in
            let isSilent = entries[field.number].map { $0.verdict == .obeyed || $0.verdict == .accepted } ?? true
            guard isSilent, !field.isLeftOut else { return nil }
            return (field.number, field.kind == .message ? field.type : nil)
        }
    }

    /// - Returns: False when a field is set that is not obeyed, and when that cannot be said from here.
    func isObeyed(_ bytes: Data) -> Bool { bytes.withUnsafeBytes { isObeyed($0[...], as: 0, depth: 0) } }

    private func isObeyed(_ bytes: Slice<UnsafeRawBufferPointer>, as message: Int, depth: Int) -> Bool {
        guard depth < Self.depthLimit else { return false }
        let meanings = messages[message]
        var rest = bytes
        while !rest.isEmpty {
            guard let tag = Varint.take(&rest), let number = Int(exactly: tag >> 3), number < meanings.count else {
                return false
            }
            let length: Int
            switch tag & 7 {
            case 0:
                guard Varint.take(&rest) != nil else { return false }
                length = 0
            case 1: length = 8
            case 2:
                guard let stated = Varint.take(&rest), let count = Int(exactly: stated) else { return false }
                length = count
            case 5: length = 4
            default: return false
            }
            guard length <= rest.count else { return false }
            switch meanings[number] {
            case .unsure: return false
            case .leaf: break
            case .message(let inner):
                guard tag & 7 == 2, isObeyed(rest.prefix(length), as: inner, depth: depth + 1) else { return false }
            }
            rest = rest.dropFirst(length)
        }
        return true
    }
}
