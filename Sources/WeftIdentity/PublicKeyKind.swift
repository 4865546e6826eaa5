import SwiftASN1
import X509

/// What kind of key a public key is, read from its SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
package enum PublicKeyKind: Sendable, Hashable, CustomStringConvertible {
    /// Size of the modulus in bits.
    case rsa(bits: Int)
    case p256, p384, p521
    case other(String)

    /// The smallest RSA key that is signed, and the largest: signatures of larger ones cost every peer too much.
    package static let rsaBits = 2_048...8_192

    init(_ key: Certificate.PublicKey) {
        do {
            let root = try DER.parse(key.serializeAsPEM().derBytes)
            self = try DER.sequence(root, identifier: .sequence) { nodes in
                let algorithm = try Algorithm(&nodes)
                let bits = try ASN1BitString(derEncoded: &nodes)
                return try algorithm.kind(bits)
            }
        } catch {
            self = .other("unreadable")
        }
    }

    /// Whether peers can be expected to check signatures of such a key, and nobody to forge them.
    package var isGood: Bool {
        switch self {
        case .rsa(let bits): Self.rsaBits.contains(bits)
        case .p256, .p384, .p521: true
        case .other: false
        }
    }

    package var description: String {
        switch self {
        case .rsa(let bits): "RSA of \(bits) bits"
        case .p256: "P-256"
        case .p384: "P-384"
        case .p521: "P-521"
        case .other(let name): name
        }
    }

    private struct Incomplete: Error {}

    private struct Algorithm {
        let identifier: ASN1ObjectIdentifier
        let curve: ASN1ObjectIdentifier?

        init(_ nodes: inout ASN1NodeCollection.Iterator) throws {
            guard let node = nodes.next() else { throw Incomplete() }
            (identifier, curve) = try DER.sequence(node, identifier: .sequence) { inner in
                let identifier = try ASN1ObjectIdentifier(derEncoded: &inner)
                let parameter = inner.next()
                while inner.next() != nil {}
                return (identifier, parameter.flatMap { try? ASN1ObjectIdentifier(derEncoded: $0) })
            }
        }

        func kind(_ bits: ASN1BitString) throws -> PublicKeyKind {
            switch identifier {
            case [1, 2, 840, 113549, 1, 1, 1]: return .rsa(bits: try Self.modulusBits(bits))
            case [1, 2, 840, 10045, 2, 1]:
                switch curve {
                case [1, 2, 840, 10045, 3, 1, 7]?: return .p256
                case [1, 3, 132, 0, 34]?: return .p384
                case [1, 3, 132, 0, 35]?: return .p521
                default: return .other("elliptic curve \(curve.map { "\($0)" } ?? "without a name")")
                }
            case [1, 3, 101, 112]: return .other("Ed25519")
            default: return .other("algorithm \(identifier)")
            }
        }

        private static func modulusBits(_ bits: ASN1BitString) throws -> Int {
            try DER.sequence(DER.parse(bits.bytes), identifier: .sequence) { nodes in
                let modulus = try ArraySlice<UInt8>(derEncoded: &nodes).drop { $0 == 0 }
                while nodes.next() != nil {}
                guard let first = modulus.first else { return 0 }
                return modulus.count * 8 - first.leadingZeroBitCount
            }
        }
    }
}
