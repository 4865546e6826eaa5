import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What the operating system says about a connection that did not come about.
enum SystemErrorText {
    static func of(_ error: any Error) -> String {
        var code: CInt?
        if let error = error as? IOError {
            code = error.errnoCode
        } else if let error = error as? NIOConnectionError {
            code = error.connectionErrors.lazy.compactMap { ($0.error as? IOError)?.errnoCode }.first
        }
        guard let code, let text = strerror(code) else { return "\(error)" }
        return String(cString: text)
    }
}
