#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The network form of textual IP addresses, as certificates carry them.
enum IPAddressBytes {
    /// 4 or 16 bytes, or `nil` when `text` is no address.
    static func parse(_ text: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if unsafe inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }
}
