#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Why rules could not be installed.
struct NFTablesError: Error, CustomStringConvertible { var description: String }

/// Runs `nft -f -` in the current network namespace.
enum NFTables {
    static func apply(_ script: String) throws(NFTablesError) {
        guard let pipe = popen("nft -f - 2>&1 1>&2", "w") else {
            throw NFTablesError(description: "cannot run nft; is the package nftables installed?")
        }
        let written = script.withCString { fputs($0, pipe) }
        let status = pclose(pipe)
        guard written >= 0, status == 0 else {
            throw NFTablesError(
                description: "nft refused the redirect rules (exit status \(status >> 8)); "
                    + "this needs root or CAP_NET_ADMIN in the pod's network namespace, and the package nftables")
        }
    }
}
