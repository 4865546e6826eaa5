import FoundationEssentials

/// Base64 as Kubernetes writes the bytes of a Secret.
enum Base64 {
    static func decode(_ text: String) -> [UInt8]? {
        Data(base64Encoded: text, options: .ignoreUnknownCharacters).map(Array.init)
    }
}
