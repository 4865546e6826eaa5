/// String forms, for set-up, tests and slow paths (HTTP/2's header lists, admin, logs).
extension HeaderBlock {
    package func first(_ name: String) -> String? { string(HeaderName(name)) }
    package func contains(_ name: String) -> Bool { contains(HeaderName(name)) }
    package mutating func append(_ name: String, _ value: String) { append(name: name, value: value) }
    package mutating func set(_ name: String, _ value: String) { set(HeaderName(name), value) }
    @discardableResult
    package mutating func remove(_ name: String) -> Bool { remove(HeaderName(name)) }
    package func forEach(_ body: (_ name: String, _ value: String) -> Void) {
        for (name, value) in fields { body(name, value) }
    }
}
