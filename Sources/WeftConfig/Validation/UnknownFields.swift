import WeftCore

extension Validator {
    /// Paths of fields in `spec` that the kind's type does not have; empty for kinds without a type. Fields of the wrong form
    /// are left out (``validate(object:)`` says what is wrong with them).
    package static func unknownFields(in object: KubernetesObject) -> [String] {
        let types: [any IstioSpec.Type] = [
            VirtualService.self, DestinationRule.self, Gateway.self, ServiceEntry.self, WorkloadEntry.self,
            Sidecar.self, WorkloadGroup.self, ProxyConfig.self, EnvoyFilter.self,
            PeerAuthentication.self, AuthorizationPolicy.self, RequestAuthentication.self, Telemetry.self,
            WasmPlugin.self, TrafficExtension.self,
            GatewayAPI.GatewayClass.self, GatewayAPI.Gateway.self, GatewayAPI.ListenerSet.self,
            GatewayAPI.HTTPRoute.self, GatewayAPI.GRPCRoute.self, GatewayAPI.TLSRoute.self, GatewayAPI.TCPRoute.self,
            GatewayAPI.ReferenceGrant.self, GatewayAPI.BackendTLSPolicy.self,
        ]
        guard let type = types.first(where: { $0.kind == object.kind && $0.group == object.group }),
            let (object, known) = wellFormed(object, as: type), let spec = object.json["spec"]
        else { return [] }
        return missing(from: known, in: spec, path: "spec").sorted()
    }

    /// The object without its malformed fields, and what is left of it after reading and writing.
    private static func wellFormed<Spec: IstioSpec>(
        _ object: KubernetesObject, as type: Spec.Type
    ) -> (KubernetesObject, JSONValue)? {
        guard let (object, _) = object.withoutMalformedFields(as: type, limit: malformedLimit),
            let known = try? readAndWrite(object, as: type)
        else { return nil }
        return (object, known)
    }

    private static func readAndWrite<Spec: IstioSpec>(_ object: KubernetesObject, as type: Spec.Type) throws
        -> JSONValue
    {
        try JSONValue(encoding: object.spec(type))
    }

    /// What reading and writing has lost.
    static func missing(from known: JSONValue?, in value: JSONValue, path: String) -> [String] {
        switch (known, value) {
        case (.object(let kept)?, .object(let members)):
            members.flatMap { key, member in
                let child = SourceMap.child(of: path, key)
                return kept[key] == nil && !member.isNull ? [child] : missing(from: kept[key], in: member, path: child)
            }
        case (.array(let kept)?, .array(let elements)) where kept.count == elements.count:
            zip(kept, elements).enumerated().flatMap { missing(from: $1.0, in: $1.1, path: "\(path)[\($0)]") }
        default: []
        }
    }
}
