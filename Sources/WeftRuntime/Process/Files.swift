#if canImport(Glibc)
import Glibc
#endif

/// The few file operations the runtime needs, with errors that name the path.
package enum Files {
    package static func makeDirectory(_ path: String, mode: UInt32 = 0o755) throws {
        var current = ""
        for part in path.split(separator: "/") {
            current += "/\(part)"
            if mkdir(current, 0o755) != 0, errno != EEXIST { throw failure("create", current) }
        }
        chmod(path, mode)
    }

    package static func write(_ bytes: [UInt8], to path: String, mode: UInt32 = 0o644) throws {
        let file = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { throw failure("write", path) }
        defer { close(file) }
        fchmod(file, mode)
        var offset = 0
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes {
                Glibc.write(file, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
            }
            guard written > 0 else { throw failure("write", path) }
            offset += written
        }
    }

    package static func read(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        let size = 65536
        var chunk = [UInt8](repeating: 0, count: size)
        while true {
            let count = Glibc.read(file, &chunk, size)
            if count <= 0 { return bytes }
            bytes += chunk.prefix(count)
        }
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    package static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes a file or a whole folder; never follows a link.
    package static func remove(_ path: String) {
        var info = stat()
        guard lstat(path, &info) == 0 else { return }
        if info.st_mode & S_IFMT == S_IFDIR {
            for name in names(in: path) { remove("\(path)/\(name)") }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    /// Points the link at `target` in one step.
    package static func replaceLink(_ path: String, target: String) throws {
        unlink("\(path).new")
        guard symlink(target, "\(path).new") == 0, rename("\(path).new", path) == 0 else { throw failure("link", path) }
    }

    private static func failure(_ verb: String, _ path: String) -> RuntimeError {
        RuntimeError("cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}
