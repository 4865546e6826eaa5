package import WeftConfig
import WeftCore
import WeftIR

/// Workloads that the mesh trusts no more (`revokedIdentities` of the mesh configuration; Weft's own).
///
/// Their certificates are good until they end, so everybody else refuses them: servers refuse their requests and
/// connections, clients do not take them for the server that they ask for, and the control plane takes none of their tokens,
/// which means no new certificate and no configuration.
package struct RevokedIdentities: Sendable, Hashable {
    /// Under the mesh's trust domain and each of its aliases, because a certificate of either is good.
    package let uris: Set<String>
    /// Entries that name nobody, with their places in the list.
    package let malformed: [Int: String]

    package init(_ mesh: MeshConfig) {
        var uris: Set<String> = []
        var malformed: [Int: String] = [:]
        for (index, entry) in (mesh.revokedIdentities ?? []).enumerated() {
            let parts = entry.split(separator: "/", omittingEmptySubsequences: false)
            // spiffe: | | DOMAIN | ns | NAMESPACE | sa | ACCOUNT
            guard parts.count == 7, parts[0] == "spiffe:", parts[1].isEmpty, parts[3] == "ns", parts[5] == "sa",
                parts.dropFirst(2).allSatisfy({ !$0.isEmpty && !$0.contains("*") })
            else {
                malformed[index] = entry
                continue
            }
            let own = mesh.trustDomains
            let domains = own.contains(String(parts[2])) ? own : [String(parts[2])]
            for domain in domains { uris.insert("spiffe://\(domain)/\(parts[3...].joined(separator: "/"))") }
        }
        self.uris = uris
        self.malformed = malformed
    }

    /// The rule that stands before all others on every port; `nil` when nobody is revoked.
    var refusal: RBAC? {
        guard !uris.isEmpty else { return nil }
        return RBAC(
            action: .deny,
            policies: [
                RBAC.Policy(
                    name: "revoked-identities", permissions: [.any],
                    principals: uris.sorted().map { .authenticated(StringMatcher(.exact($0))) })
            ])
    }

    /// The names that a server may have, without those of the revoked. If none is left it is a name that nobody has: no name
    /// at all would mean that every server will do.
    func trusted(_ names: [String]) -> [String] {
        let left = names.filter { !uris.contains($0) }
        return left.isEmpty && !names.isEmpty ? ["spiffe://revoked.invalid/"] : left
    }

    var diagnostics: [Diagnostic] {
        malformed.sorted { $0.key < $1.key }.map { index, entry in
            Diagnostic(
                .error, code: "WEFT0003",
                resource: ResourceReference(kind: "ConfigMap", namespace: "istio-system", name: "istio"),
                path: "data.mesh.revokedIdentities[\(index)]",
                message: "\"\(entry)\" is no identity; nobody is revoked by it",
                hint: "write spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT, without wildcards")
        }
    }
}
