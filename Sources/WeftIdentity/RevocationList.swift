package import FoundationEssentials
import SwiftASN1
package import X509

/// A certificate revocation list (RFC 5280, 5.1) as far as it is needed to tell whether peers can use it: who issued it,
/// until when it is good, what it revokes, who signed it.
package struct RevocationList: Sendable, Hashable {
    package let issuer: DistinguishedName
    package let thisUpdate: Date?
    /// `nil` for a list that never goes out of date.
    package let nextUpdate: Date?
    /// Lower-case hexadecimal, as ``CertificateInfo/serialNumber``.
    package let serialNumbers: Set<String>
    /// The bytes that are signed.
    private let signed: [UInt8]
    /// `nil` for one that is not known here.
    private let algorithm: Certificate.SignatureAlgorithm?
    private let signature: [UInt8]

    /// What the PEM block of a list is called.
    private static let discriminator = "X509 CRL"
    /// A list of more bytes would be sent to every workload.
    package static let sizeLimit = 512 * 1024

    /// All lists in the text.
    /// - Throws: If there is none, or one cannot be read.
    package static func all(inPEM text: String) throws(IdentityError) -> [RevocationList] {
        guard text.utf8.count <= sizeLimit else {
            throw IdentityError(
                .malformedCertificate,
                "the revocation lists have \(text.utf8.count) bytes, at most \(sizeLimit) are sent")
        }
        let lists: [RevocationList]
        do {
            lists = try PEMDocument.parseMultiple(pemString: text).filter { $0.discriminator == discriminator }
                .map { try RevocationList(der: $0.derBytes) }
        } catch {
            throw IdentityError(.malformedCertificate, "not a PEM revocation list: \(error)")
        }
        guard !lists.isEmpty else {
            throw IdentityError(.malformedCertificate, "no PEM block \"\(discriminator)\" found")
        }
        return lists
    }

    /// Fails unless peers that check every step of a chain find a list, in force at `now`, for each authority: without one
    /// they refuse whatever that authority signed.
    package static func check(_ lists: [RevocationList], for authorities: [Certificate], now: Date)
        throws(IdentityError)
    {
        for authority in authorities {
            // During an exchange two authorities may have one name.
            let own = lists.filter { $0.issuer == authority.subject }
            guard let list = own.first(where: { $0.isSigned(by: authority) }) ?? own.first else {
                throw IdentityError(
                    .malformedCertificate,
                    "there is no list of \(authority.subject); peers would refuse everything that it signed")
            }
            guard list.isSigned(by: authority) else {
                throw IdentityError(
                    .badSignature,
                    "the list of \(authority.subject) is not signed with its key; peers would refuse everything that it "
                        + "signed. Make the list with the key of the certificate in the bundle")
            }
            if let end = list.nextUpdate, end <= now {
                throw IdentityError(
                    .expired, "the list of \(authority.subject) was good until \(end); make a new one")
            }
        }
    }

    /// Whether the list is the authority's work: its name, and its signature.
    package func isSigned(by authority: Certificate) -> Bool {
        guard issuer == authority.subject, let algorithm else { return false }
        return authority.publicKey.isValidSignature(signature, for: signed, signatureAlgorithm: algorithm)
    }

    private init(der: [UInt8]) throws {
        let root = try DER.parse(der)
        let (body, algorithm, signature) = try DER.sequence(root, identifier: .sequence) { nodes in
            let body = try Self.next(&nodes)
            let algorithm = try Self.algorithm(Self.next(&nodes))
            return (body, algorithm, try ASN1BitString(derEncoded: Self.next(&nodes)))
        }
        signed = Array(body.encodedBytes)
        self.algorithm = algorithm
        self.signature = Array(signature.bytes)
        (issuer, thisUpdate, nextUpdate, serialNumbers) = try DER.sequence(body, identifier: .sequence) { nodes in
            var node = try Self.next(&nodes)
            if node.identifier == .integer { node = try Self.next(&nodes) }
            // `node` is the algorithm now.
            let issuer = try DistinguishedName(derEncoded: Self.next(&nodes))
            let start = try Self.time(Self.next(&nodes))
            var rest = nodes.next()
            let end = try rest.flatMap(Self.time)
            if end != nil { rest = nodes.next() }
            let serials = try rest.flatMap { $0.identifier == .sequence ? try Self.serialNumbers($0) : nil } ?? []
            while nodes.next() != nil {}
            return (issuer, start, end, serials)
        }
    }

    /// RFC 5758, RFC 8017, RFC 8410.
    private static let algorithms: [ASN1ObjectIdentifier: Certificate.SignatureAlgorithm] = [
        [1, 2, 840, 10045, 4, 3, 2]: .ecdsaWithSHA256, [1, 2, 840, 10045, 4, 3, 3]: .ecdsaWithSHA384,
        [1, 2, 840, 10045, 4, 3, 4]: .ecdsaWithSHA512, [1, 2, 840, 113549, 1, 1, 11]: .sha256WithRSAEncryption,
        [1, 2, 840, 113549, 1, 1, 12]: .sha384WithRSAEncryption,
        [1, 2, 840, 113549, 1, 1, 13]: .sha512WithRSAEncryption,
        [1, 3, 101, 112]: .ed25519,
    ]

    private static func algorithm(_ node: ASN1Node) throws -> Certificate.SignatureAlgorithm? {
        try DER.sequence(node, identifier: .sequence) { nodes in
            let identifier = try ASN1ObjectIdentifier(derEncoded: Self.next(&nodes))
            while nodes.next() != nil {}
            return algorithms[identifier]
        }
    }

    private struct Incomplete: Error {}

    private static func next(_ nodes: inout ASN1NodeCollection.Iterator) throws -> ASN1Node {
        guard let node = nodes.next() else { throw Incomplete() }
        return node
    }

    private static func serialNumbers(_ node: ASN1Node) throws -> Set<String> {
        guard case .constructed(let entries) = node.content else { throw Incomplete() }
        return try Set(
            entries.map { entry in
                try DER.sequence(entry, identifier: .sequence) { fields in
                    let bytes = try ArraySlice<UInt8>(derEncoded: &fields)
                    while fields.next() != nil {}
                    return Certificate.SerialNumber(bytes: bytes).bytes.map { byte in
                        byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16)
                    }.joined()
                }
            })
    }

    /// `nil` for a node that is no time.
    private static func time(_ node: ASN1Node) throws -> Date? {
        switch node.identifier {
        case .utcTime:
            let time = try UTCTime(derEncoded: node)
            return date([time.year, time.month, time.day, time.hours, time.minutes, time.seconds])
        case .generalizedTime:
            let time = try GeneralizedTime(derEncoded: node)
            return date([time.year, time.month, time.day, time.hours, time.minutes, time.seconds])
        default: return nil
        }
    }

    private static func date(_ parts: [Int]) -> Date? {
        var components = DateComponents()
        components.calendar = Calendar(identifier: .gregorian)
        components.timeZone = TimeZone(secondsFromGMT: 0)
        (components.year, components.month, components.day) = (parts[0], parts[1], parts[2])
        (components.hour, components.minute, components.second) = (parts[3], parts[4], parts[5])
        return components.date
    }
}
