/// Objects of the Kubernetes Gateway API, of which admission sees every kind as well.
extension AdmissionSeeds {
    static let gatewayAPI: [(kind: String, yaml: String)] = [
        (
            "GatewayClass",
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: GatewayClass
            metadata: {name: x}
            spec: {controllerName: istio.io/gateway-controller, description: d, parametersRef: {group: "", kind: ConfigMap, name: c, namespace: dev}}
            """
        ),
        (
            "Gateway of the Gateway API",
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: x, namespace: dev}
            spec:
              gatewayClassName: istio
              addresses: [{type: IPAddress, value: 10.0.0.1}]
              infrastructure: {labels: {a: b}, annotations: {c: d}}
              allowedListeners: {namespaces: {from: All}}
              listeners:
              - {name: http, port: 80, protocol: HTTP, hostname: "*.example.com", allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {a: b}}}, kinds: [{group: gateway.networking.k8s.io, kind: HTTPRoute}]}}
              - {name: https, port: 443, protocol: HTTPS, tls: {mode: Terminate, certificateRefs: [{name: c, kind: Secret, group: ""}], options: {a: b}}}
            """
        ),
        (
            "ListenerSet",
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: ListenerSet
            metadata: {name: x, namespace: dev}
            spec:
              parentRef: {name: g, namespace: dev}
              listeners: [{name: http, port: 8080, protocol: HTTP, hostname: a.example.com, allowedRoutes: {namespaces: {from: Same}}}]
            """
        ),
        (
            "HTTPRoute",
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: x, namespace: dev}
            spec:
              parentRefs: [{name: g, sectionName: http, port: 80}]
              hostnames: [a.example.com, "*.example.com"]
              rules:
              - name: first
                matches: [{path: {type: PathPrefix, value: /a}, method: GET, headers: [{name: x-a, value: b}], queryParams: [{type: RegularExpression, name: q, value: "a+"}]}]
                filters:
                - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}], add: [{name: c, value: d}], remove: [e]}}
                - {type: URLRewrite, urlRewrite: {hostname: h, path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}
                - {type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}, fraction: {numerator: 1, denominator: 3}}}
                backendRefs: [{name: web, port: 80, weight: 3}, {name: web, namespace: other, port: 80, weight: 0}]
                timeouts: {request: 10s, backendRequest: 2s}
              - filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: h, port: 443, statusCode: 302, path: {type: ReplaceFullPath, replaceFullPath: /x}}}]
            """
        ),
        (
            "GRPCRoute",
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: GRPCRoute
            metadata: {name: x, namespace: dev}
            spec:
              parentRefs: [{group: "", kind: Service, name: web}]
              rules: [{matches: [{method: {type: Exact, service: a.B, method: C}, headers: [{type: Exact, name: x, value: y}]}], backendRefs: [{name: web, port: 80}]}]
            """
        ),
        (
            "TLSRoute",
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: TLSRoute
            metadata: {name: x, namespace: dev}
            spec: {parentRefs: [{name: g}], hostnames: [a.example.com], rules: [{name: r, backendRefs: [{name: web, port: 80, weight: 1}]}]}
            """
        ),
        (
            "TCPRoute",
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: TCPRoute
            metadata: {name: x, namespace: dev}
            spec: {parentRefs: [{name: g, sectionName: tcp}], rules: [{backendRefs: [{name: web, port: 80}, {name: web, port: 81, weight: 0}]}]}
            """
        ),
        (
            "ReferenceGrant",
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: ReferenceGrant
            metadata: {name: x, namespace: dev}
            spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: other}], to: [{group: "", kind: Service, name: web}]}
            """
        ),
        (
            "BackendTLSPolicy",
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: BackendTLSPolicy
            metadata: {name: x, namespace: dev}
            spec:
              targetRefs: [{group: "", kind: Service, name: web, sectionName: http}]
              validation: {hostname: web.example.com, caCertificateRefs: [{group: "", kind: ConfigMap, name: c}], subjectAltNames: [{type: Hostname, hostname: web.example.com}]}
            """
        ),
    ]
}
