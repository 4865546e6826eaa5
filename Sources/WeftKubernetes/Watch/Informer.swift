import Logging
package import WeftConfig

/// Keeps a ``ResourceStore`` equal to what the API server has of one kind: list, then watch, for ever.
///
/// A lost connection is watched again from the last version; a version that is too old means a new list. A kind that
/// the server does not have (yet) counts as empty and is looked for again every few seconds. A kind that the server has
/// in an older version alone is read in that.
package struct Informer: Sendable {
    package let kind: GroupVersionKind
    package let store: ResourceStore
    private let client: KubernetesClient
    private let namespace: String?
    private let options: ListOptions
    private let known: APIResource?
    private let olderVersions: [String]
    private let recheck: Duration
    private let onChange: @Sendable (StoreChange) -> Void

    /// - Parameters:
    ///   - known: where the kind is; `nil` asks discovery.
    ///   - olderVersions: versions of the kind's group that do as well where the server does not have the kind's own, best
    ///     first. Found anew with each list, so that a server whose definitions are brought up to date is read in the new
    ///     version once the watch of the old one ends.
    package init(
        client: KubernetesClient, kind: GroupVersionKind, known: APIResource? = nil, olderVersions: [String] = [],
        namespace: String? = nil, options: ListOptions = ListOptions(), recheck: Duration = .seconds(2),
        onChange: @escaping @Sendable (StoreChange) -> Void = { _ in }
    ) {
        self.client = client
        self.kind = kind
        self.known = known
        self.olderVersions = olderVersions
        self.namespace = namespace
        self.options = options
        self.recheck = recheck
        self.onChange = onChange
        store = ResourceStore()
    }

    package init(
        client: KubernetesClient, resource: APIResource, namespace: String? = nil, options: ListOptions = ListOptions(),
        onChange: @escaping @Sendable (StoreChange) -> Void = { _ in }
    ) {
        self.init(
            client: client, kind: resource.groupVersionKind, known: resource, namespace: namespace, options: options,
            onChange: onChange)
    }

    /// Runs until the task is cancelled.
    package func run() async {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                guard let resource = try await findResource() else {
                    store.replace(with: []).forEach(onChange)
                    try await Task.sleep(for: recheck)
                    continue
                }
                try await listAndWatch(resource, &backoff)
            } catch is CancellationError {
                return
            } catch let error as KubernetesError where error.isGone {
                client.logger.debug("\(kind.kind): version too old, listing again")
            } catch let error as KubernetesError where error.isNotFound && known == nil {
                for kind in kinds { client.forget(apiVersion: kind.apiVersion) }
                try? await Task.sleep(for: recheck)
            } catch {
                let wait = backoff.next()
                client.logger.debug("\(kind.kind): \(error); trying again in \(wait)")
                try? await Task.sleep(for: wait)
            }
        }
    }

    private func findResource() async throws -> APIResource? {
        if let known { return known }
        for kind in kinds {
            if let found = try await client.resource(for: kind) { return found }
        }
        return nil
    }

    private var kinds: [GroupVersionKind] {
        [kind] + olderVersions.map { GroupVersionKind(group: kind.group, version: $0, kind: kind.kind) }
    }

    private func listAndWatch(_ resource: APIResource, _ backoff: inout Backoff) async throws {
        let list = try await client.list(resource, namespace: namespace, options: options)
        store.replace(with: list.items).forEach(onChange)
        var version = list.resourceVersion
        while !Task.isCancelled {
            do {
                let watch = try await client.watch(
                    resource, namespace: namespace, options: options, resourceVersion: version)
                for try await event in watch {
                    backoff.reset()
                    if !event.resourceVersion.isEmpty { version = event.resourceVersion }
                    if let change = store.apply(event) { onChange(change) }
                }
                // A server that ends watches at once must not make us spin.
                try await Task.sleep(for: .milliseconds(50))
            } catch let error as KubernetesError {
                throw error
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                let wait = backoff.next()
                client.logger.debug("\(kind.kind): watch broke: \(error); watching again in \(wait)")
                try await Task.sleep(for: wait)
            }
        }
    }
}
