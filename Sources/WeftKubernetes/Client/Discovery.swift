import NIOHTTP1
import Synchronization
package import WeftConfig
package import WeftCore

/// What the server is known to serve, per `group/version`.
struct DiscoveryCache: Sendable {
    struct Entry: Sendable {
        var resources: [APIResource]
        var fetchedAt: ContinuousClock.Instant
    }
    var groupVersions: [String: Entry] = [:]
}

extension KubernetesClient {
    /// Where the server keeps a kind, or `nil` if it serves no such kind.
    ///
    /// Answers are kept; a miss asks again, though not more than once a second per group and version.
    package func resource(for kind: GroupVersionKind) async throws -> APIResource? {
        let known = discovery.withLock { $0.groupVersions[kind.apiVersion] }
        if let found = known?.resources.first(where: { $0.kind == kind.kind }) { return found }
        if let known, ContinuousClock.now - known.fetchedAt < .seconds(1) { return nil }
        let resources = try await resources(apiVersion: kind.apiVersion)
        return resources.first { $0.kind == kind.kind }
    }

    /// Forgets what is known of one `group/version`, after the server said that it has it no more.
    func forget(apiVersion: String) { discovery.withLock { $0.groupVersions[apiVersion] = nil } }

    /// The same for an object, as an error when the kind is unknown, in kubectl's words.
    package func requireResource(for kind: GroupVersionKind) async throws -> APIResource {
        guard let resource = try await resource(for: kind) else {
            throw KubernetesError(
                code: 404, reason: "NotFound",
                message: "no matches for kind \"\(kind.kind)\" in version \"\(kind.apiVersion)\": is its CRD installed?"
            )
        }
        return resource
    }

    /// All main resources of one `group/version`; empty when the server does not have it.
    package func resources(apiVersion: String) async throws -> [APIResource] {
        let path = apiVersion.contains("/") ? "/apis/\(apiVersion)" : "/api/\(apiVersion)"
        var found: [APIResource] = []
        do {
            let list = try await json(.GET, path)
            found = (list["resources"]?.arrayValue ?? []).compactMap { Self.resource($0, apiVersion: apiVersion) }
        } catch let error as KubernetesError where error.isNotFound {
            found = []
        }
        let entry = DiscoveryCache.Entry(resources: found, fetchedAt: .now)
        discovery.withLock { $0.groupVersions[apiVersion] = entry }
        return found
    }

    /// The server's version document.
    package func serverVersion() async throws -> JSONValue { try await json(.GET, "/version") }

    private static func resource(_ json: JSONValue, apiVersion: String) -> APIResource? {
        guard let name = json["name"]?.stringValue, let kind = json["kind"]?.stringValue, !name.contains("/") else {
            return nil
        }
        let version = GroupVersionKind(apiVersion: apiVersion, kind: kind)
        return APIResource(
            group: version.group, version: version.version, kind: kind, name: name,
            isNamespaced: json["namespaced"]?.boolValue ?? false)
    }
}
