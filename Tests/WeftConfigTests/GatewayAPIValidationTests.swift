import Testing
import WeftConfig
import WeftCore

/// What the Gateway API forbids across fields: refused with the field's path.
@Suite struct GatewayAPIValidationTests {
    private func paths(_ kind: String, _ spec: String) throws -> [String] {
        let object = try ManifestReader.objects(
            in:
                "{apiVersion: gateway.networking.k8s.io/v1, kind: \(kind), metadata: {name: x, namespace: y}, spec: \(spec)}"
        ).map(\.object)[0]
        return Validator.validate(object: object).filter { $0.severity == .error }.compactMap(\.path)
    }

    private static let listener = "{name: a, port: 80, protocol: HTTP}"

    @Test(arguments: [
        ("[\(listener)]", []), ("[]", ["spec.listeners"]),
        ("[\(listener), \(listener)]", ["spec.listeners[1].name", "spec.listeners[1]"]),
        ("[{name: a, port: 0, protocol: HTTP}]", ["spec.listeners[0].port"]),
        ("[{name: a, port: 80, protocol: TCP, hostname: a.org}]", ["spec.listeners[0].hostname"]),
        ("[{name: a, port: 80, protocol: HTTP, hostname: 10.0.0.1}]", ["spec.listeners[0].hostname"]),
        ("[{name: a, port: 80, protocol: HTTP, hostname: \"a.*.org\"}]", ["spec.listeners[0].hostname"]),
        ("[{name: a, port: 80, protocol: HTTP, tls: {}}]", ["spec.listeners[0].tls"]),
        ("[{name: a, port: 80, protocol: HTTPS, tls: {mode: Passthrough}}]", ["spec.listeners[0].tls.mode"]),
        ("[{name: a, port: 80, protocol: TLS}]", ["spec.listeners[0].tls"]),
        ("[{name: a, port: 80, protocol: TLS, tls: {certificateRefs: [{name: c}]}}]", ["spec.listeners[0].tls.mode"]),
        ("[{name: a, port: 80, protocol: HTTPS, tls: {}}]", ["spec.listeners[0].tls.certificateRefs"]),
    ])
    func listeners(_ listeners: String, _ expected: [String]) throws {
        #expect(try paths("Gateway", "{gatewayClassName: istio, listeners: \(listeners)}") == expected)
        #expect(try paths("ListenerSet", "{parentRef: {name: g}, listeners: \(listeners)}") == expected)
    }

    @Test func addressesAndPortsAreGivenOnce() throws {
        let spec = """
            {gatewayClassName: istio, listeners: [\(Self.listener)], addresses: [{value: 1.2.3.4}, {value: 1.2.3.4}],
             tls: {frontend: {default: {}, perPort: [{port: 1, tls: {}}, {port: 1, tls: {}}]}}}
            """
        #expect(try paths("Gateway", spec) == ["spec.addresses[1].value", "spec.tls.frontend.perPort[1].port"])
    }

    private static let redirect = "{type: RequestRedirect, requestRedirect: {%}}"

    @Test(arguments: [
        ("{backendRefs: [{name: a, port: 80}]}", []),
        ("{backendRefs: [{name: a}]}", ["spec.rules[0].backendRefs[0].port"]),
        ("{backendRefs: [{name: a, port: 80, weight: -1}]}", ["spec.rules[0].backendRefs[0].weight"]),
        ("{matches: [{path: {value: shop}}]}", ["spec.rules[0].matches[0].path.value"]),
        ("{matches: [{path: {value: /a//b}}]}", ["spec.rules[0].matches[0].path.value"]),
        ("{matches: [{path: {value: /a/..}}]}", ["spec.rules[0].matches[0].path.value"]),
        ("{matches: [{path: {type: RegularExpression, value: \"(a\"}}]}", ["spec.rules[0].matches[0].path.value"]),
        (
            "{matches: [{headers: [{name: a, type: RegularExpression, value: \"[\"}]}]}",
            ["spec.rules[0].matches[0].headers[0].value"]
        ),
        ("{filters: [{type: URLRewrite}]}", ["spec.rules[0].filters[0].urlRewrite"]),
        ("{filters: [{type: Magic}]}", ["spec.rules[0].filters[0].type"]),
        ("{filters: [{type: CORS, cors: {}, urlRewrite: {}}]}", ["spec.rules[0].filters[0].urlRewrite"]),
        ("{filters: [{type: CORS, cors: {}}, {type: CORS, cors: {}}]}", ["spec.rules[0].filters[1]"]),
        (
            "{filters: [{type: URLRewrite, urlRewrite: {}}, \(redirect.replacing("%", with: ""))]}",
            ["spec.rules[0].filters"]
        ),
        (
            "{filters: [\(redirect.replacing("%", with: ""))], backendRefs: [{name: a, port: 80}]}",
            ["spec.rules[0].backendRefs"]
        ),
        (
            "{filters: [\(redirect.replacing("%", with: "statusCode: 304"))]}",
            ["spec.rules[0].filters[0].requestRedirect.statusCode"]
        ),
        (
            "{filters: [\(redirect.replacing("%", with: "hostname: \"*.a.org\""))]}",
            ["spec.rules[0].filters[0].requestRedirect.hostname"]
        ),
        (
            "{filters: [\(redirect.replacing("%", with: "path: {type: ReplaceFullPath, replacePrefixMatch: /}"))]}",
            [
                "spec.rules[0].filters[0].requestRedirect.path.replaceFullPath",
                "spec.rules[0].filters[0].requestRedirect.path.replacePrefixMatch",
            ]
        ),
        (
            "{matches: [{path: {type: Exact, value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]}",
            ["spec.rules[0].filters"]
        ),
        (
            "{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: a, port: 80}, percent: 1, fraction: {numerator: 3, denominator: 2}}}]}",
            ["spec.rules[0].filters[0].requestMirror", "spec.rules[0].filters[0].requestMirror.fraction.numerator"]
        ), ("{timeouts: {request: 1s, backendRequest: 2s}}", ["spec.rules[0].timeouts.backendRequest"]),
        ("{timeouts: {request: 0s, backendRequest: 2s}}", []),
        ("{retry: {codes: [200]}}", ["spec.rules[0].retry.codes[0]"]),
        ("{timeouts: {request: soon}}", ["spec.rules[0].timeouts.request"]),
    ])
    func rulesOfHTTPRoutes(_ rule: String, _ expected: [String]) throws {
        #expect(try paths("HTTPRoute", "{rules: [\(rule)]}") == expected)
    }

    @Test(arguments: [
        ("[{name: a}, {name: b}]", []), ("[{name: a}, {name: a}]", ["spec.parentRefs[1]"]),
        ("[{name: a, sectionName: x}, {name: a, sectionName: y}]", []),
        ("[{name: a, sectionName: x}, {name: a}]", ["spec.parentRefs[1]"]),
        ("[{name: \"\"}]", ["spec.parentRefs[0].name"]),
        ("[{name: a, port: 99999}]", ["spec.parentRefs[0].port"]),
    ])
    func parents(_ parents: String, _ expected: [String]) throws {
        #expect(try paths("HTTPRoute", "{parentRefs: \(parents), rules: []}") == expected)
    }

    @Test(arguments: [
        ("GRPCRoute", "{rules: [{matches: [{method: {}}]}]}", ["spec.rules[0].matches[0].method"]),
        ("GRPCRoute", "{rules: [{matches: [{method: {service: a/b}}]}]}", ["spec.rules[0].matches[0].method.service"]),
        ("GRPCRoute", "{rules: [{name: a}, {name: a}]}", ["spec.rules[1].name"]),
        ("TLSRoute", "{rules: [{backendRefs: [{name: a, port: 1}]}]}", ["spec.hostnames"]),
        ("TLSRoute", "{hostnames: [a.org], rules: []}", ["spec.rules"]),
        ("TCPRoute", "{rules: [{}]}", ["spec.rules[0].backendRefs"]),
        ("ReferenceGrant", "{from: [], to: []}", ["spec.from", "spec.to"]),
        ("GatewayClass", "{controllerName: me}", ["spec.controllerName"]),
        (
            "BackendTLSPolicy", "{targetRefs: [], validation: {hostname: a.org, wellKnownCACertificates: System}}",
            ["spec.targetRefs"]
        ),
        (
            "BackendTLSPolicy",
            "{targetRefs: [{group: \"\", kind: Service, name: a}], validation: {hostname: \"*.org\"}}",
            ["spec.validation", "spec.validation.hostname"]
        ),
        (
            "BackendTLSPolicy",
            "{targetRefs: [{group: \"\", kind: Service, name: a}], validation: {hostname: a.org, wellKnownCACertificates: System, subjectAltNames: [{type: URI, hostname: b.org}]}}",
            ["spec.validation.subjectAltNames[0].uri", "spec.validation.subjectAltNames[0].hostname"]
        ),
    ])
    func otherKinds(_ kind: String, _ spec: String, _ expected: [String]) throws {
        #expect(try paths(kind, spec) == expected)
    }

    @Test func severalErrorsAreToldAtOnce() throws {
        let found = try paths(
            "HTTPRoute", "{hostnames: [1.2.3.4, \"*\"], rules: [{backendRefs: [{name: a}]}, {retry: {codes: [1]}}]}")
        #expect(
            found == [
                "spec.hostnames[0]", "spec.hostnames[1]", "spec.rules[0].backendRefs[0].port",
                "spec.rules[1].retry.codes[0]",
            ])
    }

    @Test func fieldsThatNobodyKnowsAreNamed() throws {
        let object = try ManifestReader.objects(
            in:
                "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: x}, spec: {rules: [{sessionPersistence: {}, name: a}]}}"
        ).map(\.object)[0]
        #expect(Validator.unknownFields(in: object) == ["spec.rules[0].sessionPersistence"])
    }
}
