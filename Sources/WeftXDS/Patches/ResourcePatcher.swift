import Foundation
import SwiftProtobuf
import WeftCore
import WeftIR

/// Applies users' patches to encoded resources, one after the other.
///
/// A resource that a patch would make unusable stays as it was before that patch, and a diagnostic says why. Whether it
/// is usable is what the proxy's own decoder says. Envoy gets extensions that only it has, and says itself whether it can
/// use them.
struct ResourcePatcher {
    typealias Resources = [ResourceType: [String: Google_Protobuf_Any]]

    static let messages: [ResourceType: String] = [
        .listener: "envoy.config.listener.v3.Listener", .route: "envoy.config.route.v3.RouteConfiguration",
        .cluster: "envoy.config.cluster.v3.Cluster",
    ]

    private(set) var resources: Resources
    private(set) var report = PatchReport()
    /// What is decoded so far, by name.
    private var documents: [ResourceType: [String: JSONValue]] = [:]
    private let decoder = XDSDecoder()
    private let target: Target

    init(_ resources: Resources, target: Target = .weft) {
        self.resources = resources
        self.target = target
    }

    private var encoder: JSONMessageEncoder {
        JSONMessageEncoder(isLenient: true, passesUnknownTypes: target == .envoy)
    }

    mutating func apply(_ patches: [ResourcePatch]) {
        // A patch on a whole comes before the patches on its parts; otherwise the given order holds.
        for target in ResourcePatch.Target.allCases {
            for patch in patches where patch.target == target {
                var patch = patch
                if let value = patch.value { patch.value = known(of: value, patch) }
                apply(patch)
            }
        }
        // A patch may meet something in one resource and nothing in another.
        report.unmatched.subtract(report.matched)
    }

    /// The value without what is no field of its message, under the names of the `.proto` files.
    private mutating func known(of value: JSONValue, _ patch: ResourcePatch) -> JSONValue {
        let message = patch.target.message
        var encoder = JSONMessageEncoder(isLenient: true)
        _ = encoder.encode(value, as: message, path: "")
        for field in encoder.unknownFields { note(.warning, patch, "\(field); it is left out") }
        return MessageMerge().canonical(value, as: message) { $0 != nil }
    }

    private mutating func apply(_ patch: ResourcePatch) {
        let before = report.matched.contains(patch.provenance)
        switch patch.target {
        case .cluster: applyToResources(patch, .cluster, add: patch.operation == .add)
        case .listener: applyToResources(patch, .listener, add: patch.operation == .add)
        case .listenerFilter, .filterChain, .networkFilter, .httpFilter: change(.listener, patch)
        case .routeConfiguration, .virtualHost, .httpRoute:
            change(.route, patch)
            // Tables of what a sidecar receives are inside its listeners.
            if patch.context != .outbound { change(.listener, patch) }
        }
        if !before, !report.matched.contains(patch.provenance) { report.unmatched.insert(patch.provenance) }
    }

    // MARK: - Whole resources

    private mutating func applyToResources(_ patch: ResourcePatch, _ type: ResourceType, add: Bool) {
        if add { return insert(patch, type) }
        for name in (resources[type] ?? [:]).keys.sorted() {
            guard let document = document(type, name), DocumentMatch.meets(document, patch, type) else { continue }
            switch patch.operation {
            case .remove:
                resources[type]?[name] = nil
                documents[type]?[name] = nil
                report.matched.insert(patch.provenance)
            case .merge, .mergeReplacingLists:
                let merge = MessageMerge(replacesLists: patch.operation == .mergeReplacingLists)
                let merged = merge.merge(patch.value ?? .object([:]), over: document, as: Self.messages[type] ?? "")
                store(merged, type, name, patch)
            default: return refuse(patch, "\(patch.operation.rawValue) is not for whole resources; use MERGE or REMOVE")
            }
        }
    }

    private mutating func insert(_ patch: ResourcePatch, _ type: ResourceType) {
        let value = patch.value ?? .null
        guard let name = value["name"]?.stringValue, !name.isEmpty else {
            return refuse(patch, "patch.value.name is missing: every added resource needs a name")
        }
        guard resources[type]?[name] == nil else {
            return refuse(patch, "there is a \(type.shortName) resource called \(name) already; use MERGE")
        }
        store(value, type, name, patch)
    }

    // MARK: - Parts

    private mutating func change(_ type: ResourceType, _ patch: ResourcePatch) {
        for name in (resources[type] ?? [:]).keys.sorted() {
            guard var document = document(type, name) else { continue }
            var changes = 0
            if type == .listener {
                changes = ListenerPatching.apply(patch, to: &document)
            } else {
                changes = RoutePatching.apply(patch, to: &document, context: nil)
            }
            if changes > 0 { store(document, type, name, patch) }
        }
    }

    // MARK: - Documents

    private mutating func document(_ type: ResourceType, _ name: String) -> JSONValue? {
        if let known = documents[type]?[name] { return known }
        guard let any = resources[type]?[name], let message = Self.messages[type],
            let decoded = try? JSONMessageDecoder().decode(any.value, as: message)
        else { return nil }
        documents[type, default: [:]][name] = decoded
        return decoded
    }

    /// Keeps the change if a proxy can use it.
    private mutating func store(_ document: JSONValue, _ type: ResourceType, _ name: String, _ patch: ResourcePatch) {
        report.matched.insert(patch.provenance)
        var encoder = encoder
        let bytes = encoder.encode(document, as: Self.messages[type] ?? "", path: "")
        if let problem = encoder.problems.first ?? (target == .weft ? encoder.unknownTypes.first : nil) {
            return refuse(patch, "\(type.shortName) resource \(name): \(problem)")
        }
        if let problem = PatchValue.patterns(in: patch.value ?? .null, path: "").first {
            return refuse(patch, "\(problem)")
        }
        var any = Self.any(bytes, type)
        if encoder.unknownTypes.isEmpty, let problem = problem(any, type, name, patch) { return refuse(patch, problem) }
        var document = document
        if !encoder.leftOutFields.isEmpty {
            // What was written in their place is no value for a proxy that has the fields.
            document = MessageMerge().canonical(document, as: Self.messages[type] ?? "") { $0?.isLeftOut == false }
            var plain = self.encoder
            any = Self.any(plain.encode(document, as: Self.messages[type] ?? "", path: ""), type)
        }
        resources[type, default: [:]][name] = any
        documents[type, default: [:]][name] = document
    }

    /// Why a proxy cannot use a patched resource; warnings that the patch brings are noted.
    private mutating func problem(
        _ any: Google_Protobuf_Any, _ type: ResourceType, _ name: String, _ patch: ResourcePatch
    ) -> String? {
        do {
            let result = try decoder.decode(any)
            if let problem = PatchedShape.problem(result.value) {
                return "\(type.shortName) resource \(name): \(problem)"
            }
            let known = resources[type]?[name].flatMap { try? decoder.decode($0) }?.warnings ?? []
            for warning in result.warnings where !known.contains(warning) {
                note(.warning, patch, "\(type.shortName) resource \(name): \(warning)")
            }
            return nil
        } catch {
            return "\(error)"
        }
    }

    static func any(_ bytes: [UInt8], _ type: ResourceType) -> Google_Protobuf_Any {
        var any = Google_Protobuf_Any()
        any.typeURL = type.typeURL
        any.value = Data(bytes)
        return any
    }

    private mutating func refuse(_ patch: ResourcePatch, _ reason: String) {
        report.matched.insert(patch.provenance)
        note(.error, patch, "the patch is not applied: \(reason)")
    }

    private mutating func note(_ severity: Diagnostic.Severity, _ patch: ResourcePatch, _ message: String) {
        let diagnostic = Diagnostic(
            severity, code: severity == .error ? "IST0106" : "IST0133", resource: patch.provenance.resource,
            path: "spec.configPatches[\(patch.provenance.rule ?? 0)].patch", message: message)
        if !report.diagnostics.contains(diagnostic) { report.diagnostics.append(diagnostic) }
    }
}

/// Whether a patch is for a listener or a cluster as a whole.
enum DocumentMatch {
    static func meets(_ document: JSONValue, _ patch: ResourcePatch, _ type: ResourceType) -> Bool {
        type == .cluster ? cluster(document, patch) : listener(document, patch, isWhole: true)
    }

    private static func cluster(_ document: JSONValue, _ patch: ResourcePatch) -> Bool {
        let name = document["name"]?.stringValue ?? ""
        let parts = name.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        let isInbound = name.hasPrefix("inbound|") || name == "InboundPassthroughCluster"
        if patch.context == .inbound, !isInbound { return false }
        if patch.context == .outbound, isInbound { return false }
        guard let match = patch.cluster else { return true }
        if let wanted = match.name, !wanted.isEmpty { return wanted == name }
        if let port = match.port, port != 0, parts.count != 4 || parts[1] != String(port) { return false }
        if let subset = match.subset, !subset.isEmpty, parts.count != 4 || parts[2] != subset { return false }
        guard let service = match.service, !service.isEmpty, !isInbound else { return true }
        return parts.count == 4 && parts[3] == service
    }

    /// - Parameter isWhole: for parts of the two listeners that take everything, the port is a matter of their chains.
    static func listener(_ document: JSONValue, _ patch: ResourcePatch, isWhole: Bool) -> Bool {
        let direction = document["traffic_direction"]?.stringValue
        if patch.context == .inbound, direction != "INBOUND" { return false }
        if patch.context == .outbound, direction != "OUTBOUND" { return false }
        guard let match = patch.listener else { return true }
        if let name = match.name, !name.isEmpty, document["name"]?.stringValue != name { return false }
        if !isWhole, isVirtual(document) { return true }
        guard let port = match.port else { return true }
        return document[path: "address", "socket_address", "port_value"]?.intValue == Int(port)
    }

    static func isVirtual(_ listener: JSONValue) -> Bool {
        ["virtualInbound", "virtualOutbound"].contains(listener["name"]?.stringValue)
    }
}
