package import WeftCore

/// What replies of the proxy's own look like (`local_reply_config`).
package struct LocalReplies: Sendable, Hashable, Codable {
    /// Which replies a mapper is for: the access log filters that make sense before a response is sent.
    package indirect enum Condition: Sendable, Hashable, Codable {
        package enum Comparison: String, Sendable, Hashable, Codable { case equal, atLeast, atMost, notEqual }
        case status(Comparison, UInt32)
        /// Any of Envoy's flags; empty is any at all.
        case flags([String])
        case header(HeaderMatcher)
        case and([Condition])
        case or([Condition])
    }
    /// A body with Envoy's operators, `%LOCAL_REPLY_BODY%` among them.
    package struct Format: Sendable, Hashable, Codable {
        package enum Body: Sendable, Hashable, Codable {
            case text(String)
            case json(JSONValue)
        }
        package var body: Body
        /// `nil` is `text/plain`, of JSON `application/json`.
        package var contentType: String?
        package init(_ body: Body) { self.body = body }
    }
    package struct Mapper: Sendable, Hashable, Codable {
        package var condition: Condition
        package var status: UInt16?
        package var body: String?
        package var headers = HeaderMutations()
        /// Instead of the common one.
        package var format: Format?
        package init(_ condition: Condition) { self.condition = condition }
    }
    /// The first one whose condition holds counts.
    package var mappers: [Mapper] = []
    package var format: Format?
    package init() {}
}
