import Foundation
import SwiftProtobuf

/// Walks a message and finds the fields that are set and not obeyed: those that ``FieldExceptions`` names, and those
/// that our definitions do not have.
struct FieldVisitor: Visitor {
    struct Finding: Hashable {
        /// From the message that was walked: `filter_chains[0].filter_chain_match`.
        var path: String
        var entry: FieldSupport.Entry
    }
    /// A step down: the message that was left, the field, and the index in a list.
    private struct Step {
        var message: String
        var number: Int
        var index: Int?
    }

    /// What all visitors of one walk share. A walk looks at every message of a configuration, so what it needs to know
    /// of a type is looked up once.
    private final class Walk {
        var findings: [Finding] = []
        var steps: [Step] = []
        var entries: [ObjectIdentifier: [Int: FieldSupport.Entry]?] = [:]

        func entries<M: Message>(of type: M.Type) -> [Int: FieldSupport.Entry]? {
            if let known = entries[ObjectIdentifier(type)] { return known }
            let found = FieldSupport.shared.entries(of: M.protoMessageName)
            entries[ObjectIdentifier(type)] = .some(found)
            return found
        }
    }

    private let walk: Walk
    private let message: String
    private let entries: [Int: FieldSupport.Entry]?
    /// How many findings there were before this message.
    private let start: Int

    /// Walks `message` and all that is in it.
    static func findings<M: Message>(in message: M) throws -> [Finding] {
        let walk = Walk()
        var visitor = FieldVisitor(M.self, walk)
        try message.traverse(visitor: &visitor)
        return walk.findings
    }

    private init<M: Message>(_ type: M.Type, _ walk: Walk) {
        self.walk = walk
        message = M.protoMessageName
        entries = walk.entries(of: type)
        start = walk.findings.count
    }

    private mutating func check(_ number: Int) {
        guard let entry = entries?[number], !walk.findings[start...].contains(where: { $0.entry == entry }) else {
            return
        }
        find(entry)
    }

    private mutating func find(_ entry: FieldSupport.Entry) {
        let names = walk.steps.map { step in
            let name = FieldSchema.shared.messages[step.message]?.field(step.number)?.name ?? "\(step.number)"
            return step.index.map { "\(name)[\($0)]" } ?? name
        }
        walk.findings.append(Finding(path: (names + [entry.name]).joined(separator: "."), entry: entry))
    }

    private mutating func descend<M: Message>(_ value: M, _ number: Int, _ index: Int?) throws {
        walk.steps.append(Step(message: message, number: number, index: index))
        defer { walk.steps.removeLast() }
        var inner = FieldVisitor(M.self, walk)
        try value.traverse(visitor: &inner)
    }

    mutating func visitUnknown(bytes: Data) throws {
        for number in UnknownFields.numbers(in: bytes) { find(FieldSupport.shared.unknown(message, number)) }
    }

    mutating func visitSingularMessageField<M: Message>(value: M, fieldNumber: Int) throws {
        check(fieldNumber)
        try descend(value, fieldNumber, nil)
    }

    mutating func visitRepeatedMessageField<M: Message>(value: [M], fieldNumber: Int) throws {
        check(fieldNumber)
        for (index, element) in value.enumerated() { try descend(element, fieldNumber, index) }
    }

    mutating func visitMapField<KeyType, ValueType: MapValueType>(
        fieldType: _ProtobufMap<KeyType, ValueType>.Type, value: _ProtobufMap<KeyType, ValueType>.BaseType,
        fieldNumber: Int
    ) throws { check(fieldNumber) }

    mutating func visitMapField<KeyType, ValueType>(
        fieldType: _ProtobufEnumMap<KeyType, ValueType>.Type, value: _ProtobufEnumMap<KeyType, ValueType>.BaseType,
        fieldNumber: Int
    ) throws where ValueType.RawValue == Int { check(fieldNumber) }

    mutating func visitMapField<KeyType, ValueType>(
        fieldType: _ProtobufMessageMap<KeyType, ValueType>.Type,
        value: _ProtobufMessageMap<KeyType, ValueType>.BaseType,
        fieldNumber: Int
    ) throws {
        check(fieldNumber)
        for element in value.values { try descend(element, fieldNumber, nil) }
    }

    mutating func visitSingularFloatField(value: Float, fieldNumber: Int) throws { check(fieldNumber) }
    mutating func visitSingularDoubleField(value: Double, fieldNumber: Int) throws { check(fieldNumber) }
    mutating func visitSingularInt32Field(value: Int32, fieldNumber: Int) throws { check(fieldNumber) }
    mutating func visitSingularInt64Field(value: Int64, fieldNumber: Int) throws { check(fieldNumber) }
    mutating func visitSingularUInt32Field(value: UInt32, fieldNumber: Int) throws { check(fieldNumber) }
    mutating func visitSingularUInt64Field(value: UInt64, fieldNumber: Int) throws { check(fieldNumber) }
    mutating func visitSingularBoolField(value: Bool, fieldNumber: Int) throws { check(fieldNumber) }
    mutating func visitSingularStringField(value: String, fieldNumber: Int) throws { check(fieldNumber) }
    mutating func visitSingularBytesField(value: Data, fieldNumber: Int) throws { check(fieldNumber) }
    mutating func visitSingularEnumField<E: Enum>(value: E, fieldNumber: Int) throws { check(fieldNumber) }
}

/// Reads the tags of fields that a message type does not know (protobuf's wire format).
enum UnknownFields {
    /// - Returns: Field numbers, each once, in the order of the bytes. Stops at what is malformed.
    static func numbers(in bytes: Data) -> [Int] {
        var rest = Array(bytes)[...]
        var numbers: [Int] = []
        while let tag = Varint.take(&rest) {
            let number = Int(tag >> 3)
            if !numbers.contains(number) { numbers.append(number) }
            switch tag & 7 {
            case 0: _ = Varint.take(&rest)
            case 1: rest = rest.dropFirst(8)
            case 2:
                let length = Varint.take(&rest) ?? 0
                rest = rest.dropFirst(Int(clamping: length))
            case 3, 4: break
            case 5: rest = rest.dropFirst(4)
            default: return numbers
            }
        }
        return numbers
    }
}
