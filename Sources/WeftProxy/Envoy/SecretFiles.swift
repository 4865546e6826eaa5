import FoundationEssentials
import WeftCA
import WeftCore
import WeftIdentity

/// The workload's secrets as files that Envoy watches (`path_config_source`). Each is replaced whole, by a rename.
struct SecretFiles {
    var directory: String

    func write(_ identity: WorkloadIdentity) throws {
        let version = identity.version
        try write(
            "sds-default.json", version: version,
            secret: [
                "name": "default",
                "tls_certificate": [
                    "certificate_chain": ["inline_string": .string(identity.certificate.chainPEM)],
                    "private_key": ["inline_string": .string(identity.certificate.keyPEM)],
                ],
            ])
        var validation: [String: JSONValue] = ["trusted_ca": ["inline_string": .string(identity.trustBundlePEM)]]
        validation["crl"] = identity.revocationsPEM.map { ["inline_string": .string($0)] }
        try write(
            "sds-rootca.json", version: version,
            secret: ["name": "ROOTCA", "validation_context": .object(validation)])
    }

    private func write(_ name: String, version: String, secret: [String: JSONValue]) throws {
        var resource = secret
        resource["@type"] = .string("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret")
        let response: JSONValue = ["version_info": .string(version), "resources": [.object(resource)]]
        try AtomicFile.write(response.text(), to: "\(directory)/\(name)")
    }
}

/// Files that nobody ever sees half-written; for one user alone unless told otherwise.
enum AtomicFile {
    struct Failure: Error, CustomStringConvertible {
        var path: String
        var code: CInt
        var description: String { unsafe "cannot write \(path): \(String(cString: strerror(code)))" }
    }

    static func write(_ text: String, to path: String, mode: mode_t = 0o600) throws {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw Failure(path: path, code: errno) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
            }
            guard count > 0 else { throw Failure(path: path, code: errno) }
            offset += count
        }
        guard unsafe rename(temporary, path) == 0 else { throw Failure(path: path, code: errno) }
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif
