import WeftConfig
import WeftCore

/// The kinds of the Kubernetes Gateway API, as its version 1.5 serves them: same names and versions, and the same
/// columns with what controllers say of an object added. Versions that earlier releases had are served beside them, for
/// the YAML that people have.
enum GatewayAPIResources {
    static let group = "gateway.networking.k8s.io"
    /// The release of the API that the schemas follow; tools read it from this annotation.
    static let annotations = [
        GatewayAPI.versionAnnotation: GatewayAPI.version, "gateway.networking.k8s.io/channel": "standard",
    ]

    private typealias Column = CustomResource.Column

    private static func condition(_ type: String) -> Column {
        Column(name: type, path: ".status.conditions[?(@.type==\"\(type)\")].status")
    }

    private static func resource(
        _ kind: String, _ plural: String, short: [String] = [], versions: [String] = ["v1"],
        scope: String = "Namespaced",
        columns: [Column] = [], spec: Schema, hasStatus: Bool = true
    ) -> CustomResource {
        var resource = CustomResource(
            kind: kind, plural: plural, group: group, shortNames: short, versions: versions, columns: columns + [.age],
            spec: spec)
        resource.scope = scope
        resource.categories = ["gateway-api"]
        resource.annotations = annotations
        resource.hasStatus = hasStatus
        return resource
    }

    /// A condition by each of the parents, or ancestors, that the object is attached to.
    private static func conditions(_ type: String, by list: String = "parents") -> Column {
        Column(name: type, path: ".status.\(list)[*].conditions[?(@.type==\"\(type)\")].status")
    }

    private static let attachment = [conditions("Accepted"), conditions("ResolvedRefs")]
    private static let hostnames = Column(name: "Hostnames", path: ".spec.hostnames")

    static let all: [CustomResource] = [
        resource(
            "GatewayClass", "gatewayclasses", short: ["gc"], versions: ["v1", "v1beta1"], scope: "Cluster",
            columns: [Column(name: "Controller", path: ".spec.controllerName"), condition("Accepted")],
            spec: GatewayAPISchemas.gatewayClass),
        resource(
            "Gateway", "gateways", short: ["gtw"], versions: ["v1", "v1beta1"],
            columns: [
                Column(name: "Class", path: ".spec.gatewayClassName"),
                Column(name: "Address", path: ".status.addresses[*].value"), condition("Accepted"),
                condition("Programmed"),
            ], spec: GatewayAPISchemas.gateway),
        resource(
            "ListenerSet", "listenersets", short: ["lset"], columns: [condition("Accepted"), condition("Programmed")],
            spec: GatewayAPISchemas.listenerSet),
        resource(
            "HTTPRoute", "httproutes", versions: ["v1", "v1beta1"], columns: [hostnames] + attachment,
            spec: GatewayAPISchemas.httpRoute),
        resource(
            "GRPCRoute", "grpcroutes", versions: ["v1", "v1alpha2"], columns: [hostnames] + attachment,
            spec: GatewayAPISchemas.grpcRoute),
        resource(
            "TLSRoute", "tlsroutes", versions: ["v1", "v1alpha3", "v1alpha2"], columns: [hostnames] + attachment,
            spec: GatewayAPISchemas.tlsRoute),
        resource(
            "TCPRoute", "tcproutes", versions: ["v1", "v1alpha2"], columns: attachment,
            spec: GatewayAPISchemas.tcpRoute),
        resource(
            "ReferenceGrant", "referencegrants", short: ["refgrant"], versions: ["v1", "v1beta1", "v1alpha2"],
            spec: GatewayAPISchemas.referenceGrant, hasStatus: false),
        resource(
            "BackendTLSPolicy", "backendtlspolicies", short: ["btlspolicy"], versions: ["v1", "v1alpha3"],
            columns: [conditions("Accepted", by: "ancestors")], spec: GatewayAPISchemas.backendTLSPolicy),
    ]
}
