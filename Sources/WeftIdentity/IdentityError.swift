/// What is wrong with an identity, a key, a request or a certificate; the message says what to look at.
package struct IdentityError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: String, Hashable, Sendable {
        case malformedIdentity, malformedKey, malformedRequest, malformedCertificate, badSignature, untrusted, expired
        /// Asked for something that it may not have, more often than it may, or twice.
        case refused, limited
    }
    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
