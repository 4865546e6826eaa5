import Testing
import WeftConfig
import WeftCore
import WeftManifests

@Suite struct CustomResourceDefinitionTests {
    func definition(_ kind: String, group: String = "istio.io") throws -> JSONValue {
        try #require(
            CustomResourceDefinitions.all.first {
                $0.json[path: "spec", "names", "kind"]?.stringValue == kind && $0.name.hasSuffix(group)
            }
        ).json
    }

    /// What people know from `kubectl get`: kind, short names and columns.
    @Test(arguments: [
        ("GatewayClass", ["gc"], ["Controller", "Accepted", "Age"]),
        ("Gateway", ["gtw"], ["Class", "Address", "Accepted", "Programmed", "Age"]),
        ("ListenerSet", ["lset"], ["Accepted", "Programmed", "Age"]),
        ("HTTPRoute", [], ["Hostnames", "Accepted", "ResolvedRefs", "Age"]),
        ("GRPCRoute", [], ["Hostnames", "Accepted", "ResolvedRefs", "Age"]),
        ("TLSRoute", [], ["Hostnames", "Accepted", "ResolvedRefs", "Age"]),
        ("TCPRoute", [], ["Accepted", "ResolvedRefs", "Age"]), ("ReferenceGrant", ["refgrant"], ["Age"]),
        ("BackendTLSPolicy", ["btlspolicy"], ["Accepted", "Age"]),
    ])
    func gatewayKindsAreShownAsKnown(_ kind: String, _ short: [String], _ columns: [String]) throws {
        let definition = try definition(kind, group: "gateway.networking.k8s.io")
        let names = definition[path: "spec", "names", "shortNames"]?.arrayValue?.compactMap(\.stringValue) ?? []
        #expect(names == short)
        #expect(definition[path: "spec", "scope"] == (kind == "GatewayClass" ? "Cluster" : "Namespaced"))
        let version = try #require(definition[path: "spec", "versions"]?.arrayValue?.first)
        #expect(version["name"] == "v1")
        let shown = version["additionalPrinterColumns"]?.arrayValue?.compactMap { $0["name"]?.stringValue }
        #expect(shown == columns)
    }

    /// `kubectl get` says of every kind of Istio's whether it is taken, and by how many proxies.
    @Test func istioKindsShowTheirConditions() {
        for object in CustomResourceDefinitions.all where object.name.hasSuffix("istio.io") {
            for version in object.json[path: "spec", "versions"]?.arrayValue ?? [] {
                let shown = version["additionalPrinterColumns"]?.arrayValue?.compactMap { $0["name"]?.stringValue }
                let isWhole = Set(shown ?? []).isSuperset(of: ["Accepted", "Reconciled", "Age"])
                #expect(isWhole, "\(object.name): \(shown ?? [])")
            }
        }
    }

    @Test func allKindsAreThereOnce() {
        let names = CustomResourceDefinitions.all.map(\.name)
        #expect(names.count == 24)
        #expect(Set(names).count == 24)
    }

    @Test func exactlyOneVersionIsStored() {
        for object in CustomResourceDefinitions.all {
            let versions = object.json[path: "spec", "versions"]?.arrayValue ?? []
            #expect(versions.filter { $0["storage"] == true }.count == 1, "\(object.name)")
            // A ReferenceGrant has no status: it is never refused.
            let hasStatus = object.name != "referencegrants.gateway.networking.k8s.io"
            #expect(versions.allSatisfy { ($0[path: "subresources", "status"] != nil) == hasStatus }, "\(object.name)")
        }
    }

    @Test func virtualServiceIsServedAsIstioDoes() throws {
        let definition = try definition("VirtualService")
        #expect(definition[path: "metadata", "name"] == "virtualservices.networking.istio.io")
        #expect(definition[path: "spec", "names", "shortNames"] == ["vs"])
        let versions = definition[path: "spec", "versions"]?.arrayValue ?? []
        #expect(versions.compactMap { $0["name"]?.stringValue } == ["v1", "v1beta1", "v1alpha3"])
        let spec = versions.first?[path: "schema", "openAPIV3Schema", "properties", "spec"]
        #expect(spec?["x-kubernetes-preserve-unknown-fields"] == nil)
        let weight = spec?[path: "properties", "http", "items", "properties", "route", "items", "properties", "weight"]
        #expect(weight?["type"] == "integer")
    }

    /// The API server refuses schemas without a type (structural schemas).
    @Test func schemasAreStructural() {
        func check(_ schema: JSONValue, _ path: String) {
            #expect(schema["type"] != nil || schema["x-kubernetes-int-or-string"] == true, "\(path)")
            for (name, child) in schema["properties"]?.objectValue ?? [:] { check(child, "\(path).\(name)") }
            if let items = schema["items"] { check(items, path + "[]") }
            if let values = schema["additionalProperties"] { check(values, path + "{}") }
            for name in schema["required"]?.arrayValue?.compactMap(\.stringValue) ?? [] {
                #expect(schema["properties"]?[name] != nil, "\(path) requires \(name)")
            }
        }
        for object in CustomResourceDefinitions.all {
            for version in object.json[path: "spec", "versions"]?.arrayValue ?? [] {
                if let schema = version[path: "schema", "openAPIV3Schema"] { check(schema, object.name) }
            }
        }
    }
}
