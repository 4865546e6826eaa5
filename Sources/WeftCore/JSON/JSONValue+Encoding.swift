extension JSONValue {
    /// The JSON form of any encodable value. Absent optionals leave no member, as in Kubernetes' `omitempty`.
    package init(encoding value: some Encodable) throws {
        let encoder = JSONValueEncoder(codingPath: [])
        try value.encode(to: encoder)
        self = encoder.box.value
    }

    package func encode(to encoder: any Encoder) throws {
        if let encoder = encoder as? JSONValueEncoder {
            encoder.box.value = self
            return
        }
        switch self {
        case .null:
            var container = encoder.singleValueContainer()
            try container.encodeNil()
        case .bool(let value): try value.encode(to: encoder)
        case .int(let value): try value.encode(to: encoder)
        case .double(let value): try value.encode(to: encoder)
        case .string(let value): try value.encode(to: encoder)
        case .array(let value): try value.encode(to: encoder)
        case .object(let value): try value.encode(to: encoder)
        }
    }
}

/// Where an encoder puts its result; containers nested in it write through their parents.
private final class JSONBox {
    var value: JSONValue = .null
    /// Children not yet folded into `value`: a container's own children may still grow after it was handed out.
    private var members: [String: JSONBox]?
    private var elements: [JSONBox]?

    func member(_ key: String) -> JSONBox {
        let box = JSONBox()
        members = members ?? [:]
        members?[key] = box
        return box
    }

    func element() -> JSONBox {
        let box = JSONBox()
        elements = (elements ?? []) + [box]
        return box
    }

    func beginObject() { members = members ?? [:] }
    func beginArray() { elements = elements ?? [] }
    var count: Int { elements?.count ?? 0 }

    var resolved: JSONValue {
        if let members { return .object(members.mapValues(\.resolved)) }
        if let elements { return .array(elements.map(\.resolved)) }
        return value
    }
}

private struct JSONValueEncoder: Encoder, SingleValueEncodingContainer {
    final class Result {
        let root: JSONBox
        init(_ root: JSONBox) { self.root = root }
        var value: JSONValue {
            get { root.resolved }
            set { root.value = newValue }
        }
    }

    let box: Result
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(codingPath: [any CodingKey], into root: JSONBox = JSONBox()) {
        self.box = Result(root)
        self.codingPath = codingPath
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        box.root.beginObject()
        return KeyedEncodingContainer(JSONKeyedEncoding<Key>(box: box.root, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        box.root.beginArray()
        return JSONUnkeyedEncoding(box: box.root, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    func encodeNil() { box.value = .null }
    func encode(_ value: Bool) { box.value = .bool(value) }
    func encode(_ value: String) { box.value = .string(value) }
    func encode(_ value: Double) { box.value = .double(value) }
    func encode(_ value: Float) { box.value = .double(Double(value)) }
    func encode(_ value: Int) { box.value = .int(Int64(value)) }
    func encode(_ value: Int8) { box.value = .int(Int64(value)) }
    func encode(_ value: Int16) { box.value = .int(Int64(value)) }
    func encode(_ value: Int32) { box.value = .int(Int64(value)) }
    func encode(_ value: Int64) { box.value = .int(value) }
    func encode(_ value: UInt) { encode(UInt64(value)) }
    func encode(_ value: UInt8) { box.value = .int(Int64(value)) }
    func encode(_ value: UInt16) { box.value = .int(Int64(value)) }
    func encode(_ value: UInt32) { box.value = .int(Int64(value)) }
    func encode(_ value: UInt64) { box.value = Int64(exactly: value).map(JSONValue.int) ?? .double(Double(value)) }
    func encode<T: Encodable>(_ value: T) throws { try value.encode(to: self) }
}

private struct JSONKeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let box: JSONBox
    let codingPath: [any CodingKey]

    func encodeNil(forKey key: Key) { at(key).encodeNil() }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try value.encode(to: at(key)) }
    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<
        Nested
    > {
        at(key).container(keyedBy: type)
    }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { at(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { JSONValueEncoder(codingPath: codingPath, into: box.member("super")) }
    func superEncoder(forKey key: Key) -> any Encoder { at(key) }

    private func at(_ key: Key) -> JSONValueEncoder {
        JSONValueEncoder(codingPath: codingPath + [key], into: box.member(key.stringValue))
    }
}

private struct JSONUnkeyedEncoding: UnkeyedEncodingContainer {
    let box: JSONBox
    let codingPath: [any CodingKey]
    var count: Int { box.count }

    func encodeNil() { next().encodeNil() }
    func encode<T: Encodable>(_ value: T) throws { try value.encode(to: next()) }
    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        next().container(keyedBy: type)
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { next().unkeyedContainer() }
    func superEncoder() -> any Encoder { next() }

    private func next() -> JSONValueEncoder {
        JSONValueEncoder(codingPath: codingPath + [JSONKey(intValue: box.count)], into: box.element())
    }
}
