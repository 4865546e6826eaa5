import FoundationEssentials
import Logging
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftTranslate

/// Makes the cluster what the Gateway API's objects ask for: our classes, the objects of deployed gateways, and status.
///
/// Decides nothing: what should be is a value of the snapshot, and this writes the difference. Its own writes come back
/// through the informers and end there, as they make no difference any more.
actor GatewayController {
    private let client: KubernetesClient
    private let sources: ClusterSources
    private let ownership: Ownership
    private let logger: Logger
    private let settings: @Sendable () -> GatewayDeployment.Settings
    /// What was applied last, so that nothing is applied twice.
    private var applied: [AppliedKey: KubernetesObject] = [:]

    private struct AppliedKey: Hashable {
        var kind: String
        var namespace: String
        var name: String
        init(_ object: KubernetesObject) {
            (kind, namespace, name) = (object.kind, object.namespace, object.name)
        }
    }

    init(
        client: KubernetesClient, sources: ClusterSources, ownership: Ownership, logger: Logger,
        settings: @escaping @Sendable () -> GatewayDeployment.Settings
    ) {
        self.client = client
        self.sources = sources
        self.ownership = ownership
        self.logger = logger
        self.settings = settings
    }

    func reconcile(_ model: GatewayAPIModel, _ distribution: Distribution) async {
        guard isServed else { return }
        await makeClasses()
        await deploy(model)
        await removeOrphans()
        await writeStatus(model, distribution)
    }

    private func store(_ kind: String) -> ResourceStore? {
        sources.gatewayAPI.first { $0.kind.kind == kind }?.store
    }

    /// Whether the cluster has the kinds at all.
    private var isServed: Bool { store("GatewayClass")?.isSynced ?? false }

    // MARK: - Classes

    /// Our classes are there without anybody's doing; a class that somebody has changed stays as it is.
    private func makeClasses() async {
        guard ownership.ofMesh.isLeader else { return }
        for (name, controller) in GatewayAPIModel.builtInClasses.sorted(by: { $0.key < $1.key })
        where store("GatewayClass")?["", name] == nil {
            let object = KubernetesObject([
                "apiVersion": .string("\(GatewayAPI.group)/v1"), "kind": "GatewayClass",
                "metadata": ["name": .string(name), "labels": ["app.kubernetes.io/part-of": "weft"]],
                "spec": [
                    "controllerName": .string(controller),
                    "description": .string(
                        controller == GatewayAPI.Controller.unmanaged
                            ? "Gateways that run elsewhere: configured, not deployed." : "The mesh's gateway."),
                ],
            ])
            await attempt("make \(object.reference)") {
                guard let resource = try await client.resource(for: object.groupVersionKind) else { return }
                do { _ = try await client.create(resource, object) } catch let error as KubernetesError
                    where error.isConflict
                {}
            }
        }
    }

    // MARK: - Deployment

    private func deploy(_ model: GatewayAPIModel) async {
        let uids = Dictionary(
            (store("Gateway")?.all ?? []).map { ("\($0.namespace)/\($0.name)", $0.uid) }, uniquingKeysWith: { $1 })
        for (gateway, objects) in model.deployments(settings: settings(), uids: uids) where owns(gateway) {
            for object in objects where isDue(object) {
                await attempt("apply \(object.reference) for \(gateway)") {
                    let resource = try await client.requireResource(for: object.groupVersionKind)
                    _ = try await client.apply(resource, object, fieldManager: Self.fieldManager)
                    applied[AppliedKey(object)] = object
                    logger.info("\(object.reference) applied for \(gateway)")
                }
            }
        }
    }

    /// Of Gateways without a revision's label one revision takes care: two would undo each other's work for ever.
    private func owns(_ gateway: ResourceReference) -> Bool {
        store("Gateway")?[gateway.namespace, gateway.name].map(ownership.mayWrite) ?? false
    }

    private static let fieldManager = "weft-gateway-controller"

    /// Never applied in this form, or gone since.
    private func isDue(_ object: KubernetesObject) -> Bool {
        if applied[AppliedKey(object)] != object { return true }
        switch object.kind {
        case "Deployment": return sources.gatewayDeployments.store[object.namespace, object.name] == nil
        case "Service": return sources.services.store[object.namespace, object.name] == nil
        default: return false
        }
    }

    /// Deployments and Services of Gateways that are no more. A cluster with a garbage collector does the same by owner.
    private func removeOrphans() async {
        let uids = Set((store("Gateway")?.all ?? []).map(\.uid))
        let present = sources.gatewayDeployments.store.all + sources.services.store.all
        for object in present
        where object.labels[GatewayLabels.managed] == GatewayDeployment.managedValue
            && object.deletionTimestamp == nil && ownership.mayWrite(object)
        {
            let owners = object.ownerReferences.filter { $0.kind == "Gateway" }
            guard !owners.isEmpty, owners.allSatisfy({ !uids.contains($0.uid) }) else { continue }
            await attempt("delete \(object.reference)") {
                var kinds = [object.groupVersionKind]
                if object.kind == "Deployment" { kinds += Self.companions }
                for kind in kinds {
                    guard let resource = try await client.resource(for: kind) else { continue }
                    do {
                        try await client.delete(resource, namespace: object.namespace, name: object.name)
                    } catch let error as KubernetesError where error.isNotFound {}
                }
                applied = applied.filter { $0.key.namespace != object.namespace || $0.key.name != object.name }
                logger.info("\(object.reference) deleted: its Gateway is gone")
            }
        }
    }

    private static let companions = [
        GroupVersionKind(version: "v1", kind: "ServiceAccount"),
        GroupVersionKind(group: "autoscaling", version: "v2", kind: "HorizontalPodAutoscaler"),
        GroupVersionKind(group: "policy", version: "v1", kind: "PodDisruptionBudget"),
    ]

    // MARK: - Status

    /// - Parameter withCounts: Also where nothing but the number of proxies is another.
    func writeStatus(_ model: GatewayAPIModel, _ distribution: Distribution, withCounts: Bool = false) async {
        guard isServed else { return }
        for entry in model.statuses {
            guard let object = store(entry.resource.kind)?[entry.resource.namespace, entry.resource.name],
                ownership.mayWrite(object),
                let status = GatewayStatusMerge.merged(
                    entry, into: object, progress: distribution.progress(of: object).map(ObjectStatus.reconciliation),
                    withCounts: withCounts, now: Date().formatted(.iso8601))
            else { continue }
            await attempt("write the status of \(object.reference)") {
                let resource = try await client.requireResource(for: object.groupVersionKind)
                var patch: JSONValue = ["metadata": ["resourceVersion": .string(object.resourceVersion)]]
                patch["status"] = status
                for key in (object.json["status"]?.objectValue ?? [:]).keys where status[key] == nil {
                    patch[path: "status", key] = .null
                }
                _ = try await client.patch(
                    resource, namespace: object.namespace, name: object.name, patch, subresource: "status")
            }
        }
    }

    /// A failure is told and tried again with the next change; a conflict means that a newer object is on its way.
    private func attempt(_ what: String, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch let error as KubernetesError where error.isConflict || error.isNotFound {
            logger.debug("cannot \(what): \(error)")
        } catch {
            logger.warning("cannot \(what): \(error)")
        }
    }
}
