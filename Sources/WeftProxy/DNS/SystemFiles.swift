#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The files that say how names are resolved on this machine.
enum SystemFiles {
    static func resolverConfiguration() -> ResolverConfiguration {
        ResolverConfiguration(text("/etc/resolv.conf"), hosts: text("/etc/hosts"))
    }

    /// - Returns: At most 64 KiB; nothing when the file cannot be read.
    static func text(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        var length = 0
        while length < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                read(descriptor, $0.baseAddress.map { $0 + length }, $0.count - length)
            }
            guard count > 0 else { break }
            length += count
        }
        return String(decoding: bytes[..<length], as: UTF8.self)
    }
}
