import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting

/// A token and where it stood.
struct ExtractedToken: Sendable, Hashable {
    enum Place: Sendable, Hashable {
        case header(String)
        case parameter(String)
        case cookie(String)
    }
    var text: String
    var place: Place
}

/// Finds the tokens of one provider in a request. Immutable.
struct TokenExtractor: Sendable {
    private let headers: [(name: HeaderName, text: String, prefix: [UInt8])]
    private let parameters: [String]
    private let cookies: [String]

    init(_ provider: JWTAuthentication.Provider) {
        let isDefault =
            provider.fromHeaders.isEmpty && provider.fromParameters.isEmpty && provider.fromCookies.isEmpty
        let locations =
            isDefault ? [.init(name: "authorization", prefix: "Bearer ")] : provider.fromHeaders
        headers = locations.map { (HeaderName($0.name), $0.name.lowercased(), Array($0.prefix.utf8)) }
        parameters = isDefault ? ["access_token"] : provider.fromParameters
        cookies = provider.fromCookies
    }

    func tokens(_ head: RequestHead) -> [ExtractedToken] {
        var result: [ExtractedToken] = []
        for location in headers {
            for value in head.headers.values(location.name) {
                guard let text = Self.token(value, after: location.prefix) else { continue }
                result.append(ExtractedToken(text: text, place: .header(location.text)))
            }
        }
        if !parameters.isEmpty {
            let pairs = QueryParameters.pairs(head.pathString)
            for name in parameters {
                for pair in pairs where pair.name == name && !pair.value.isEmpty {
                    result.append(ExtractedToken(text: pair.value, place: .parameter(name)))
                }
            }
        }
        for name in cookies {
            for value in head.headers.values(.cookie) {
                for crumb in value.split(separator: UInt8(ascii: ";")) {
                    let pair = HeaderBlock.trimmed(crumb)
                    guard let equals = pair.firstIndex(of: UInt8(ascii: "=")),
                        pair[..<equals].elementsEqual(name.utf8)
                    else { continue }
                    let text = String(decoding: pair[pair.index(after: equals)...], as: UTF8.self)
                    if !text.isEmpty { result.append(ExtractedToken(text: text, place: .cookie(name))) }
                }
            }
        }
        return result
    }

    /// What follows `prefix`, up to the first byte that no token has. A value that has the prefix and nothing behind it
    /// holds no token.
    private static func token(_ value: ByteBufferView, after prefix: [UInt8]) -> String? {
        guard value.starts(with: prefix) else { return nil }
        let rest = HeaderBlock.trimmed(value.dropFirst(prefix.count)).prefix { $0 != 32 && $0 != 44 && $0 != 9 }
        return rest.isEmpty ? nil : String(decoding: rest, as: UTF8.self)
    }

    /// Takes a token out of the request that is not to go on.
    static func remove(_ token: ExtractedToken, from head: inout RequestHead) {
        switch token.place {
        case .header(let name): head.headers.remove(HeaderName(name))
        case .parameter(let name):
            head.path = ByteBuffer(string: QueryParameters.removing(name, from: head.pathString))
        case .cookie: break
        }
    }
}

/// The query of a request target, decoded.
enum QueryParameters {
    static func pairs(_ target: String) -> [(name: String, value: String)] {
        query(target).map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (decoded(parts[0]), parts.count == 2 ? decoded(parts[1]) : "")
        }
    }

    static func removing(_ name: String, from target: String) -> String {
        let end = target.firstIndex(of: "#") ?? target.endIndex
        guard let mark = target[..<end].firstIndex(of: "?") else { return target }
        let kept = query(target).filter { pair in
            decoded(pair[..<(pair.firstIndex(of: "=") ?? pair.endIndex)]) != name
        }
        return target[..<mark] + (kept.isEmpty ? "" : "?" + kept.joined(separator: "&")) + target[end...]
    }

    private static func query(_ target: String) -> [Substring] {
        let end = target.firstIndex(of: "#") ?? target.endIndex
        guard let mark = target[..<end].firstIndex(of: "?") else { return [] }
        return target[target.index(after: mark)..<end].split(separator: "&")
    }

    /// Decodes `%XX` once; what is no escape stays.
    private static func decoded(_ text: Substring) -> String {
        guard text.contains("%") else { return String(text) }
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let value = UInt8(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self), radix: 16),
                bytes[index + 1] != UInt8(ascii: "+")
            {
                result.append(value)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
