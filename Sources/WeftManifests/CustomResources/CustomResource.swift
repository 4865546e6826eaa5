package import WeftConfig
import WeftCore

/// One kind that we serve as a CustomResourceDefinition: names, versions, columns and schema.
struct CustomResource: Sendable {
    struct Column: Sendable {
        var name: String
        var path: String
        var type = "string"
        static let age = Column(name: "Age", path: ".metadata.creationTimestamp", type: "date")
        /// Whether translation takes the object.
        static let accepted = Column(name: "Accepted", path: ".status.conditions[?(@.type==\"Accepted\")].status")
        /// How many of the proxies that it concerns have it: `3/3 proxies up to date.`
        static let reconciled = Column(
            name: "Reconciled", path: ".status.conditions[?(@.type==\"Reconciled\")].message")
    }

    var kind: String
    var plural: String
    var group: String
    var shortNames: [String] = []
    /// The first is the storage version.
    var versions: [String]
    var columns: [Column] = []
    var spec: Schema
    var scope = "Namespaced"
    /// `nil` stands for Istio's.
    var categories: [String]?
    var annotations: [String: String] = [:]
    var hasStatus = true

    /// The same, with what the control plane says of objects shown before their age.
    var showingConditions: CustomResource {
        var resource = self
        if resource.columns.isEmpty { resource.columns = [.age] }
        let place = resource.columns.firstIndex { $0.name == Column.age.name } ?? resource.columns.endIndex
        resource.columns.insert(contentsOf: [.accepted, .reconciled], at: place)
        return resource
    }

    var definition: KubernetesObject {
        let area = String(group.prefix { $0 != "." })
        var names: JSONValue = [
            "kind": .string(kind), "listKind": .string(kind + "List"), "plural": .string(plural),
            "singular": .string(kind.lowercased()),
            "categories": .array((categories ?? ["istio-io", "\(area)-istio-io"]).map { .string($0) }),
        ]
        if !shortNames.isEmpty { names["shortNames"] = .array(shortNames.map { .string($0) }) }
        var metadata: JSONValue = [
            "name": .string("\(plural).\(group)"),
            "labels": ["app": "istio-pilot", "chart": "istio", "app.kubernetes.io/part-of": "weft"],
        ]
        if !annotations.isEmpty { metadata["annotations"] = .object(annotations.mapValues { .string($0) }) }
        return KubernetesObject([
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": metadata,
            "spec": [
                "group": .string(group), "scope": .string(scope), "names": names, "conversion": ["strategy": "None"],
                "versions": .array(versions.enumerated().map { version($1, storage: $0 == 0) }),
            ],
        ])
    }

    private func version(_ name: String, storage: Bool) -> JSONValue {
        var properties: JSONValue = ["spec": spec.json]
        if hasStatus { properties["status"] = Schema.anything.json }
        var version: JSONValue = [
            "name": .string(name), "served": true, "storage": .bool(storage),
            "schema": ["openAPIV3Schema": ["type": "object", "properties": properties]],
        ]
        if hasStatus { version["subresources"] = ["status": [:]] }
        if !columns.isEmpty {
            version["additionalPrinterColumns"] = .array(
                columns.map { ["name": .string($0.name), "jsonPath": .string($0.path), "type": .string($0.type)] })
        }
        return version
    }
}

/// All custom kinds of the mesh, as objects to apply.
package enum CustomResourceDefinitions {
    package static var all: [KubernetesObject] { resources.map(\.definition) }

    private static let three = ["v1", "v1beta1", "v1alpha3"]
    private static let two = ["v1", "v1beta1"]

    static let resources: [CustomResource] =
        (networking + security + others).map(\.showingConditions) + GatewayAPIResources.all

    private static let networking: [CustomResource] = {
        let group = "networking.istio.io"
        return [
            CustomResource(
                kind: "VirtualService", plural: "virtualservices", group: group, shortNames: ["vs"], versions: three,
                columns: [
                    .init(name: "Gateways", path: ".spec.gateways"), .init(name: "Hosts", path: ".spec.hosts"), .age,
                ], spec: NetworkingSchemas.virtualService),
            CustomResource(
                kind: "DestinationRule", plural: "destinationrules", group: group, shortNames: ["dr"], versions: three,
                columns: [.init(name: "Host", path: ".spec.host"), .age], spec: NetworkingSchemas.destinationRule),
            CustomResource(
                kind: "Gateway", plural: "gateways", group: group, shortNames: ["gw"], versions: three,
                spec: NetworkingSchemas.gateway),
            CustomResource(
                kind: "ServiceEntry", plural: "serviceentries", group: group, shortNames: ["se"], versions: three,
                columns: [
                    .init(name: "Hosts", path: ".spec.hosts"), .init(name: "Location", path: ".spec.location"),
                    .init(name: "Resolution", path: ".spec.resolution"), .age,
                ], spec: NetworkingSchemas.serviceEntry),
            CustomResource(
                kind: "Sidecar", plural: "sidecars", group: group, versions: three, spec: NetworkingSchemas.sidecar),
            CustomResource(
                kind: "WorkloadEntry", plural: "workloadentries", group: group, shortNames: ["we"], versions: three,
                columns: [.age, .init(name: "Address", path: ".spec.address")], spec: NetworkingSchemas.workloadEntry),
            CustomResource(
                kind: "WorkloadGroup", plural: "workloadgroups", group: group, shortNames: ["wg"], versions: three,
                columns: [.age], spec: NetworkingSchemas.workloadGroup),
            CustomResource(
                kind: "EnvoyFilter", plural: "envoyfilters", group: group, versions: ["v1alpha3"],
                spec: NetworkingSchemas.envoyFilter),
            CustomResource(
                kind: "ProxyConfig", plural: "proxyconfigs", group: group, versions: ["v1beta1"],
                spec: NetworkingSchemas.proxyConfig),
        ]
    }()

    private static let security: [CustomResource] = {
        let group = "security.istio.io"
        return [
            CustomResource(
                kind: "AuthorizationPolicy", plural: "authorizationpolicies", group: group, shortNames: ["ap"],
                versions: two,
                columns: [.init(name: "Action", path: ".spec.action"), .age], spec: SecuritySchemas.authorizationPolicy),
            CustomResource(
                kind: "PeerAuthentication", plural: "peerauthentications", group: group, shortNames: ["pa"],
                versions: two,
                columns: [.init(name: "Mode", path: ".spec.mtls.mode"), .age], spec: SecuritySchemas.peerAuthentication),
            CustomResource(
                kind: "RequestAuthentication", plural: "requestauthentications", group: group, shortNames: ["ra"],
                versions: two, spec: SecuritySchemas.requestAuthentication),
        ]
    }()

    private static let others: [CustomResource] = [
        CustomResource(
            kind: "Telemetry", plural: "telemetries", group: "telemetry.istio.io", shortNames: ["telemetry"],
            versions: ["v1alpha1", "v1"], columns: [.age], spec: SecuritySchemas.telemetry),
        CustomResource(
            kind: "WasmPlugin", plural: "wasmplugins", group: "extensions.istio.io", versions: ["v1alpha1"],
            columns: [.age],
            spec: .anything),
        CustomResource(
            kind: "TrafficExtension", plural: "trafficextensions", group: "extensions.istio.io", versions: ["v1alpha1"],
            columns: [.age], spec: .anything),
    ]
}
