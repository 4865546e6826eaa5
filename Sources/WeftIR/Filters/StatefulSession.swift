/// Keeps a session at the endpoint that it began with (`envoy.extensions.filters.http.stateful_session.v3`).
package struct StatefulSession: Sendable, Hashable, Codable {
    package enum Carrier: Sendable, Hashable, Codable {
        case cookie(Cookie)
        /// Requests and responses have the endpoint in this header.
        case header(String)
    }
    package struct Cookie: Sendable, Hashable, Codable {
        package struct Attribute: Sendable, Hashable, Codable, CustomStringConvertible {
            package var name: String
            /// Empty: the name alone.
            package var value: String
            package init(name: String, value: String) {
                self.name = name
                self.value = value
            }

            /// As it stands in `Set-Cookie`.
            package var description: String { value.isEmpty ? name : "\(name)=\(value)" }
        }
        package var name: String
        /// 0 is a cookie for the browser's session.
        package var lifetimeSeconds: UInt64 = 0
        /// Only requests below this path have sessions; empty is all.
        package var path = ""
        package var attributes: [Attribute] = []
        package init(name: String) { self.name = name }
    }
    /// `nil`: there are no sessions.
    package var carrier: Carrier?
    /// A session whose endpoint cannot be used is refused in place of moved.
    package var isStrict = false

    package init(_ carrier: Carrier?) { self.carrier = carrier }
}
