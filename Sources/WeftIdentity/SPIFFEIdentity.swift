/// The name of a workload: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`.
///
/// Equality is by parts; no part is ever empty.
package struct SPIFFEIdentity: Sendable, Hashable, Codable, CustomStringConvertible {
    package let trustDomain: String
    package let namespace: String
    package let serviceAccount: String

    package init(trustDomain: String, namespace: String, serviceAccount: String) throws(IdentityError) {
        for (name, part) in [
            ("trust domain", trustDomain), ("namespace", namespace), ("service account", serviceAccount),
        ] where !Self.isValid(part) {
            throw IdentityError(
                .malformedIdentity, "\(name) \"\(part)\" is empty or has characters that a SPIFFE ID may not have")
        }
        self.trustDomain = trustDomain
        self.namespace = namespace
        self.serviceAccount = serviceAccount
    }

    package init(uri: String) throws(IdentityError) {
        let prefix = "spiffe://"
        let parts = uri.dropFirst(prefix.count).split(separator: "/", omittingEmptySubsequences: false)
        guard uri.hasPrefix(prefix), parts.count == 5, parts[1] == "ns", parts[3] == "sa" else {
            throw IdentityError(
                .malformedIdentity,
                "\"\(uri)\" is not of the form spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT")
        }
        try self.init(
            trustDomain: String(parts[0]), namespace: String(parts[2]), serviceAccount: String(parts[4]))
    }

    /// - Parameter userName: what TokenReview calls a service account, `system:serviceaccount:NAMESPACE:NAME`.
    package init(kubernetesUserName userName: String, trustDomain: String) throws(IdentityError) {
        let parts = userName.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "system", parts[1] == "serviceaccount" else {
            throw IdentityError(.malformedIdentity, "\"\(userName)\" is not a service account")
        }
        try self.init(trustDomain: trustDomain, namespace: String(parts[2]), serviceAccount: String(parts[3]))
    }

    package var uri: String { "spiffe://\(trustDomain)/ns/\(namespace)/sa/\(serviceAccount)" }
    package var description: String { uri }

    package init(from decoder: any Decoder) throws {
        try self.init(uri: decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(uri)
    }

    private static func isValid(_ part: String) -> Bool {
        !part.isEmpty && part.utf8.count <= 253
            && part.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
