package import WeftCore

/// What a pod is made of when it is injected: the annotation `inject.istio.io/templates` names it.
package enum InjectionTemplate: String, Sendable, Hashable, CaseIterable {
    /// A proxy beside the application, with the pod's traffic redirected to it.
    case sidecar
    /// An agent alone, for applications that are their own data plane by gRPC's own xDS client.
    case grpcAgent = "grpc-agent"

    static let annotation = "inject.istio.io/templates"

    /// The template of a pod; one that names none has a sidecar.
    /// - Throws: ``Unknown`` for what we have no template for, and for several at once: one cannot be laid over another.
    package init(of pod: JSONValue) throws(Unknown) {
        let text = pod[path: "metadata", "annotations", Self.annotation]?.stringValue ?? ""
        let names = text.split(separator: ",").map { String($0).filter { $0 != " " } }.filter { !$0.isEmpty }
        guard let name = names.first else {
            self = .sidecar
            return
        }
        guard names.count == 1, let template = Self(rawValue: name) else { throw Unknown(text: text) }
        self = template
    }

    /// A pod asks for a template that there is not.
    package struct Unknown: Error, Hashable, CustomStringConvertible {
        package var text: String
        package var description: String {
            let known = InjectionTemplate.allCases.map(\.rawValue).joined(separator: " or ")
            return
                "annotation \(InjectionTemplate.annotation): \"\(text)\" is no template; use \(known), or leave it out "
                + "for a sidecar"
        }
    }
}
