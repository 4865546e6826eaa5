#if canImport(Glibc)
import Glibc
#endif

/// Why a file operation failed, for the person at 3 a.m.
package struct DiskError: Error, Sendable, Hashable, CustomStringConvertible {
    package var operation: String
    package var path: String
    package var code: Int32

    package var isFull: Bool { code == ENOSPC || code == EDQUOT }
    package var description: String {
        let words = String(cString: strerror(code))
        let next =
            isFull
            ? "; free space there or choose another folder: until then samples are kept in memory alone" : ""
        return "cannot \(operation) \(path): \(words)\(next)"
    }
}

/// One open file. Not thread-safe; closes with its last reference.
final class DiskFile {
    let path: String
    private let descriptor: Int32
    private(set) var size: Int

    private init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
        var status = stat()
        size = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    deinit { close(descriptor) }

    static func open(_ path: String, _ flags: Int32) throws(DiskError) -> DiskFile {
        let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw DiskError(operation: "open", path: path, code: errno) }
        return DiskFile(path: path, descriptor: descriptor)
    }

    /// Empties the file or makes it.
    static func create(_ path: String) throws(DiskError) -> DiskFile { try open(path, O_RDWR | O_CREAT | O_TRUNC) }
    static func appending(_ path: String) throws(DiskError) -> DiskFile { try open(path, O_RDWR | O_CREAT) }
    static func reading(_ path: String) throws(DiskError) -> DiskFile { try open(path, O_RDONLY) }

    /// Writes at the end: all of it, or (when the disk is full) none.
    func append(_ bytes: [UInt8]) throws(DiskError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written, off_t(size + written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let code = count == 0 ? ENOSPC : errno
                // A half record would look like a crash at the next start.
                _ = ftruncate(descriptor, off_t(size))
                throw DiskError(operation: "write to", path: path, code: code)
            }
            written += count
        }
        size += bytes.count
    }

    func truncate(to length: Int) throws(DiskError) {
        guard ftruncate(descriptor, off_t(length)) == 0 else {
            throw DiskError(operation: "shorten", path: path, code: errno)
        }
        size = length
    }

    func synchronize() throws(DiskError) {
        guard fsync(descriptor) == 0 else { throw DiskError(operation: "synchronize", path: path, code: errno) }
    }

    /// At most `count` bytes at `offset`; fewer at the end of the file.
    func read(at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        guard count > 0, offset >= 0 else { return [] }
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, length in
            while length < count {
                let got = pread(
                    descriptor, buffer.baseAddress.map { $0 + length }, count - length, off_t(offset + length))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                guard got > 0 else { return }
                length += got
            }
        }
        guard failure == 0 else { throw DiskError(operation: "read", path: path, code: failure) }
        return bytes
    }

    func readAll() throws(DiskError) -> [UInt8] { try read(at: 0, count: size) }
}

/// What the store does with folders.
enum DiskFolder {
    static func make(_ path: String) throws(DiskError) {
        var built = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            built += "/" + part
            guard mkdir(built, 0o755) != 0, errno != EEXIST else { continue }
            throw DiskError(operation: "make folder", path: built, code: errno)
        }
    }

    /// Names in a folder, sorted.
    static func names(_ path: String) throws(DiskError) -> [String] {
        guard let folder = opendir(path) else { throw DiskError(operation: "list", path: path, code: errno) }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func rename(_ from: String, to target: String) throws(DiskError) {
        guard Glibc.rename(from, target) == 0 else { throw DiskError(operation: "rename", path: from, code: errno) }
    }

    static func remove(_ path: String) { _ = unlink(path) }
}
