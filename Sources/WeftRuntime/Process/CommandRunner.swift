import CWeftLinux
import NIOPosix

#if canImport(Glibc)
import Glibc
#endif

/// Runs short system commands (`ip`, `nft`) away from the cooperative threads.
package enum CommandRunner {
    /// Throws with the command's output unless it ends with 0.
    @discardableResult
    package static func run(_ arguments: [String], input: String = "") async throws -> String {
        try await NIOThreadPool.singleton.runIfActive { try runBlocking(arguments, input: input) }
    }

    package static func runBlocking(_ arguments: [String], input: String = "") throws -> String {
        let capacity = 16384
        var output = [CChar](repeating: 0, count: capacity)
        var length = 0
        let bytes = Array(input.utf8)
        let status = withCStrings(arguments) { pointers in
            weft_run(pointers, bytes, bytes.count, &output, capacity, &length)
        }
        let text = String(decoding: output.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard status == 0 else {
            let why = status < 0 ? String(cString: strerror(-status)) : text
            throw RuntimeError("\(arguments.joined(separator: " ")) failed (\(status)): \(why)")
        }
        return text
    }
}

/// Lends `strings` as a NULL-terminated array of C strings.
func withCStrings<Result>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result) -> Result {
    var pointers = strings.map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers)
}

/// The records that the launcher reads: `key=value`, each ended by a NUL.
struct LaunchSpec {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ key: String, _ value: String) {
        bytes += Array("\(key)=\(value)".utf8.filter { $0 != 0 }) + [0]
    }

    func write(to path: String) throws { try Files.write(bytes, to: path, mode: 0o600) }
}
