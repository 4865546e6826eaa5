/// One valid object of each kind that admission sees, with as many of its fields as fit: what the fuzz test starts from.
enum AdmissionSeeds {
    static let all = istio + gatewayAPI

    private static let istio: [(kind: String, yaml: String)] = [
        (
            "VirtualService",
            """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: x, namespace: dev}
            spec:
              hosts: [web, "*.example.com"]
              gateways: [mesh, other/gate]
              exportTo: ["."]
              http:
              - name: first
                match: [{uri: {prefix: /a}, headers: {x-a: {regex: "a|b+"}, y: {}}, withoutHeaders: {z: {exact: q}}, queryParams: {p: {exact: "1"}}, port: 80, sourceLabels: {app: c}, ignoreUriCase: true}]
                route: [{destination: {host: web, subset: v1, port: {number: 80}}, weight: 10, headers: {request: {set: {a: b}, remove: [c]}}}, {destination: {host: web}, weight: 90}]
                timeout: 5s
                retries: {attempts: 3, perTryTimeout: 1s, retryOn: "5xx,connect-failure", backoff: 10ms}
                fault: {delay: {percentage: {value: 1.5}, fixedDelay: 2s}, abort: {percentage: {value: 5}, httpStatus: 503}}
                mirror: {host: web, subset: v2}
                mirrorPercentage: {value: 5}
                corsPolicy: {allowOrigins: [{regex: ".*"}], allowMethods: [GET], maxAge: 1h}
                rewrite: {uri: /b, authority: x}
              - redirect: {uri: /x, redirectCode: 302, port: 8080}
              - directResponse: {status: 418, body: {string: tea}}
              tls: [{match: [{sniHosts: [a.example.com], port: 443}], route: [{destination: {host: web}}]}]
              tcp: [{match: [{destinationSubnets: [10.0.0.0/8], port: 9000}], route: [{destination: {host: web, port: {number: 9000}}}]}]
            """
        ),
        (
            "DestinationRule",
            """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: x, namespace: dev}
            spec:
              host: web
              workloadSelector: {matchLabels: {app: c}}
              trafficPolicy:
                loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: 10s}, maglev: {tableSize: 101}}, localityLbSetting: {failover: [{from: a, to: b}]}}
                connectionPool: {tcp: {maxConnections: 10, connectTimeout: 1s, tcpKeepalive: {probes: 3, time: 10s}}, http: {http2MaxRequests: 5, maxRetries: 1, idleTimeout: 1h}}
                outlierDetection: {consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 30s, maxEjectionPercent: 50}
                tls: {mode: MUTUAL, clientCertificate: /a, privateKey: /b, caCertificates: /c, sni: s, subjectAltNames: [n]}
                portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}]
                tunnel: {protocol: CONNECT, targetHost: t, targetPort: 443}
              subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {simple: RANDOM}}}]
            """
        ),
        (
            "Gateway",
            """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: x, namespace: dev}
            spec:
              selector: {istio: ingressgateway}
              servers:
              - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["./*.example.com"], tls: {httpsRedirect: true}}
              - {port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: MUTUAL, credentialName: c, minProtocolVersion: TLSV1_2, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256], subjectAltNames: [a]}}
            """
        ),
        (
            "ServiceEntry",
            """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: x, namespace: dev}
            spec:
              hosts: [api.example.com]
              addresses: [240.0.0.1]
              ports: [{number: 443, name: https, protocol: HTTPS, targetPort: 8443}]
              location: MESH_EXTERNAL
              resolution: STATIC
              endpoints: [{address: 10.0.0.1, ports: {https: 443}, labels: {a: b}, locality: r/z, weight: 5}]
              exportTo: ["*"]
              subjectAltNames: [api.example.com]
            """
        ),
        (
            "Sidecar",
            """
            apiVersion: networking.istio.io/v1
            kind: Sidecar
            metadata: {name: x, namespace: dev}
            spec:
              workloadSelector: {labels: {app: web}}
              ingress: [{port: {number: 9080, protocol: HTTP, name: h}, defaultEndpoint: "127.0.0.1:8080", captureMode: IPTABLES}]
              egress: [{port: {number: 80, protocol: HTTP, name: e}, bind: 127.0.0.1, hosts: ["./*", "other/web.other.svc.cluster.local"]}, {hosts: ["*/*"]}]
              outboundTrafficPolicy: {mode: REGISTRY_ONLY}
            """
        ),
        (
            "WorkloadEntry",
            """
            apiVersion: networking.istio.io/v1
            kind: WorkloadEntry
            metadata: {name: x, namespace: dev}
            spec: {address: 10.0.0.1, ports: {http: 80}, labels: {a: b}, network: n, locality: r/z, weight: 1, serviceAccount: s}
            """
        ),
        (
            "WorkloadGroup",
            """
            apiVersion: networking.istio.io/v1
            kind: WorkloadGroup
            metadata: {name: x, namespace: dev}
            spec:
              metadata: {labels: {a: b}, annotations: {c: d}}
              template: {ports: {http: 80}, serviceAccount: s}
              probe: {periodSeconds: 5, httpGet: {path: /h, port: 80, httpHeaders: [{name: a, value: b}]}}
            """
        ),
        (
            "EnvoyFilter",
            """
            apiVersion: networking.istio.io/v1alpha3
            kind: EnvoyFilter
            metadata: {name: x, namespace: dev}
            spec:
              workloadSelector: {labels: {app: web}}
              priority: 10
              configPatches:
              - applyTo: HTTP_FILTER
                match: {context: SIDECAR_INBOUND, proxy: {proxyVersion: "1.*"}, listener: {portNumber: 80, filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: g}}}}}
                patch: {operation: INSERT_BEFORE, value: {name: n, typed_config: {"@type": t, a: [1, 2, {b: c}]}}}
            """
        ),
        (
            "ProxyConfig",
            """
            apiVersion: networking.istio.io/v1beta1
            kind: ProxyConfig
            metadata: {name: x, namespace: dev}
            spec: {selector: {matchLabels: {app: web}}, concurrency: 2, environmentVariables: {A: b}, image: {imageType: debug}}
            """
        ),
        (
            "AuthorizationPolicy",
            """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: x, namespace: dev, annotations: {istio.io/dry-run: "true"}}
            spec:
              selector: {matchLabels: {app: web}}
              action: DENY
              rules:
              - from: [{source: {principals: ["*/sa/a"], requestPrincipals: [i/s], namespaces: ["d*"], ipBlocks: [10.0.0.0/8, "::1"], notRemoteIpBlocks: [1.1.1.1]}}, {source: {serviceAccounts: [dev/a]}}]
                to: [{operation: {hosts: ["*.a"], ports: ["80"], methods: [GET], paths: ["/a/{*}/b", "/c/{**}"], notPaths: [/d]}}]
                when: [{key: "request.headers[x]", values: [a]}, {key: "request.auth.claims[a][b]", notValues: [c]}, {key: source.ip, values: [10.0.0.1]}]
            """
        ),
        (
            "PeerAuthentication",
            """
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: x, namespace: dev}
            spec: {selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}, portLevelMtls: {"8080": {mode: DISABLE}, "9000": {}}}
            """
        ),
        (
            "RequestAuthentication",
            """
            apiVersion: security.istio.io/v1
            kind: RequestAuthentication
            metadata: {name: x, namespace: dev}
            spec:
              targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}]
              jwtRules:
              - {issuer: i, audiences: [a], jwksUri: "https://h:8443/k?x#y", fromHeaders: [{name: X-T, prefix: "B "}], fromParams: [t], fromCookies: [c], timeout: 5s}
              - {issuer: j, jwks: '{"keys": [{"kty": "oct", "k": "AAAA"}]}', outputPayloadToHeader: x-p, outputClaimToHeaders: [{header: x-c, claim: a.b}], forwardOriginalToken: true, spaceDelimitedClaims: [scope]}
            """
        ),
        (
            "Telemetry",
            """
            apiVersion: telemetry.istio.io/v1
            kind: Telemetry
            metadata: {name: x, namespace: dev}
            spec:
              tracing: [{providers: [{name: z}], randomSamplingPercentage: 12.5, customTags: {a: {literal: {value: b}}, h: {header: {name: x}}}}]
              metrics: [{providers: [{name: prometheus}], overrides: [{match: {metric: REQUEST_COUNT, mode: CLIENT}, tagOverrides: {a: {operation: UPSERT, value: request.host}, c: {operation: REMOVE}}}]}]
              accessLogging: [{match: {mode: SERVER}, filter: {expression: "response.code >= 400"}}]
            """
        ),
        (
            "WasmPlugin",
            """
            apiVersion: extensions.istio.io/v1alpha1
            kind: WasmPlugin
            metadata: {name: x, namespace: dev}
            spec: {url: "oci://h/i:t", sha256: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", phase: AUTHN, priority: 10, pluginConfig: {a: [1]}, vmConfig: {env: [{name: A, value: b}]}, match: [{mode: SERVER, ports: [{number: 80}]}]}
            """
        ),
        (
            "TrafficExtension",
            """
            apiVersion: extensions.istio.io/v1alpha1
            kind: TrafficExtension
            metadata: {name: x, namespace: dev}
            spec: {selector: {matchLabels: {app: web}}, phase: AUTHZ, priority: 1, lua: {inlineCode: "function envoy_on_request(h) end"}, match: [{mode: CLIENT, ports: [{number: 80}]}]}
            """
        ),
    ]

    static let pod = """
        apiVersion: v1
        kind: Pod
        metadata: {name: p, namespace: dev, labels: {app: web, sidecar.istio.io/inject: "true"}, annotations: {proxy.istio.io/config: "concurrency: 1", traffic.sidecar.istio.io/excludeInboundPorts: "22,80"}}
        spec:
          serviceAccountName: s
          initContainers: [{name: i, image: busybox}]
          containers: [{name: c, image: nginx, ports: [{name: http, containerPort: 80}], readinessProbe: {httpGet: {path: /, port: http}}, livenessProbe: {tcpSocket: {port: 80}}}]
          volumes: [{name: v, emptyDir: {}}]
        """
}
