#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The process's environment and host, for format strings and tags.
enum Environment {
    static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// For this process and those that it starts. Only before there are other threads that read the environment.
    static func set(_ variables: [String: String]) {
        for (name, value) in variables { setenv(name, value, 1) }
    }

    /// `nil` when the kernel does not say.
    static let hostname: String? = {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return nil }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()
}
