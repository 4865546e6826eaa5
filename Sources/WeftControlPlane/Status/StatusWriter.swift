import FoundationEssentials
import Logging
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftTranslate

/// Brings findings into the status of the objects they are about. Writes only what differs, so that its own writes,
/// which come back through the informers, end there.
struct StatusWriter: Sendable {
    let client: KubernetesClient
    let ownership: Ownership
    let logger: Logger

    /// Writes where this process leads (``Ownership``); the others would say the same, or know less.
    ///
    /// - Parameters:
    ///   - findings: everything known now; objects without findings are marked well.
    ///   - withCounts: see ``ObjectStatus``.
    func write(
        _ findings: [Diagnostic], distribution: Distribution, withCounts: Bool, informers: [Informer]
    ) async {
        guard ownership.writes else { return }
        let unique = Set(findings.filter { $0.resource != nil })
        let byResource = Dictionary(grouping: unique) { $0.resource }
        for informer in informers {
            for object in informer.store.all where ownership.mayWrite(object) {
                let own = (byResource[object.reference] ?? []).sorted {
                    ($0.code, $0.path ?? "", $0.message) < ($1.code, $1.path ?? "", $1.message)
                }
                func status(_ progress: Distribution.Progress?) -> JSONValue? {
                    ObjectStatus.status(
                        for: object, findings: own, progress: progress, withCounts: withCounts,
                        now: Date().formatted(.iso8601))
                }
                // Who counts for every object after every answer of a proxy does so for objects times proxies.
                if !withCounts, distribution.isSettled(object), status(Distribution.Progress()) == nil { continue }
                guard let status = status(distribution.progress(of: object)), ownership.mayWrite(object) else {
                    continue
                }
                await write(status, to: object)
            }
        }
    }

    /// Gives addresses to ServiceEntries that need them, and takes back those that they need no more.
    func allocateAddresses(_ entries: [KubernetesObject]) async {
        guard ownership.writes else { return }
        for (entry, addresses) in AddressAllocation.changes(in: entries) where ownership.mayWrite(entry) {
            var status = entry.json["status"] ?? .object([:])
            status["addresses"] = AddressAllocation.json(addresses)
            await write(status, to: entry)
        }
    }

    private func write(_ status: JSONValue, to object: KubernetesObject) async {
        do {
            let resource = try await client.requireResource(for: object.groupVersionKind)
            var patch: JSONValue = ["metadata": ["resourceVersion": .string(object.resourceVersion)]]
            patch["status"] = status
            if status["validationMessages"] == nil { patch[path: "status", "validationMessages"] = .null }
            _ = try await client.patch(
                resource, namespace: object.namespace, name: object.name, patch, subresource: "status")
        } catch let error as KubernetesError where error.isConflict || error.isNotFound {
            // The object is newer than what we saw; the next push looks at it again.
            logger.debug("status of \(object.reference): \(error)")
        } catch {
            logger.warning("status of \(object.reference) not written: \(error)")
        }
    }
}
