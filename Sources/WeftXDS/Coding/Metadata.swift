import SwiftProtobuf
import WeftCore
import WeftIR
import WeftProto

extension Google_Protobuf_Value {
    init(_ text: String) {
        self.init()
        stringValue = text
    }
}

extension Provenance {
    func fields() -> Google_Protobuf_Struct {
        var fields = Google_Protobuf_Struct()
        fields.fields = [
            "kind": .init(resource.kind), "namespace": .init(resource.namespace), "name": .init(resource.name),
        ]
        if let rule {
            var value = Google_Protobuf_Value()
            value.numberValue = Double(rule)
            fields.fields["rule"] = value
        }
        if let ruleName { fields.fields["ruleName"] = .init(ruleName) }
        return fields
    }

    init?(_ fields: Google_Protobuf_Struct?) {
        guard let fields = fields?.fields, let kind = fields["kind"], let name = fields["name"] else { return nil }
        self.init(
            ResourceReference(
                kind: kind.stringValue, namespace: fields["namespace"]?.stringValue ?? "", name: name.stringValue),
            rule: fields["rule"].flatMap { Int(exactly: $0.numberValue) }, ruleName: fields["ruleName"]?.stringValue)
    }

    /// Istio's path of the object: `/apis/networking.istio.io/v1/namespaces/NS/virtual-service/NAME`.
    var istioConfigPath: String? {
        let groups = [
            "VirtualService": "networking.istio.io/v1", "DestinationRule": "networking.istio.io/v1",
            "Gateway": "networking.istio.io/v1", "ServiceEntry": "networking.istio.io/v1",
            "Sidecar": "networking.istio.io/v1",
        ]
        guard let group = groups[resource.kind] else { return nil }
        let dashed = resource.kind.reduce(into: "") { text, character in
            if character.isUppercase, !text.isEmpty { text += "-" }
            text += character.lowercased()
        }
        return "/apis/\(group)/namespaces/\(resource.namespace)/\(dashed)/\(resource.name)"
    }

    /// From the name of an authorization rule or a token provider: `ns[NS]-policy[NAME]-rule[I]`.
    init?(policyName: String, kind: String = "AuthorizationPolicy") {
        guard let match = policyName.wholeMatch(of: /ns\[([^\]]*)\]-policy\[([^\]]*)\]-rule\[([0-9]+)\]/),
            let rule = Int(match.3)
        else { return nil }
        self.init(
            ResourceReference(kind: kind, namespace: String(match.1), name: String(match.2)),
            rule: rule)
    }
}

extension Core.Metadata {
    /// Says where an element comes from, in our words and in Istio's.
    mutating func set(_ provenance: Provenance?, istio: Bool = false) {
        guard let provenance else { return }
        filterMetadata["weft"] = provenance.fields()
        if istio, let path = provenance.istioConfigPath {
            filterMetadata["istio", default: .init()].fields["config"] = .init(path)
        }
    }

    var provenance: Provenance? { Provenance(filterMetadata["weft"]) }
}
