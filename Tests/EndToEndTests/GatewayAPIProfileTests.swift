import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// The Gateway API beyond plain HTTP, as traffic: HTTPS, TLSRoutes, TCPRoutes, GRPCRoutes, ListenerSets, certificates of
    /// clients and TLS to backends, through gateways that the control plane deploys.
    @Suite(.serialized) struct GatewayAPIProfileTests {
        private static let namespace = "doors"
        private static let outside = "doors-out"
        private static let mesh = Task {
            let mesh = try await LocalMesh.shared()
            let folder = mesh.home + "/doors"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for name in ["server", "client", "stranger"] { try await certificate(folder, name) }
            let own =
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(namespace), labels: {istio-injection: enabled}}"
            let out = "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(outside)}"
            try await mesh.apply(own + "\n---\n" + out)
            let pair = ["tls.crt=\(folder)/server.crt", "tls.key=\(folder)/server.key"]
            try await create(mesh, ["secret", "generic", "server"], namespace, pair)
            try await create(mesh, ["configmap", "server-ca"], namespace, ["ca.crt=\(folder)/server.crt"])
            try await create(mesh, ["configmap", "client-ca"], namespace, ["ca.crt=\(folder)/client.crt"])
            let people = ["client.crt", "client.key", "stranger.crt", "stranger.key", "server.crt"]
            try await create(mesh, ["secret", "generic", "people"], outside, people.map { "\($0)=\(folder)/\($0)" })
            try await mesh.start(
                namespace: namespace,
                ["one", "two"].flatMap { name in
                    [
                        Manifests.sample(
                            name: name, app: name, version: "v1", namespace: namespace,
                            arguments: ["echo", "--port", "9080"]),
                        Manifests.service(name: name, port: 9080, namespace: namespace),
                    ]
                } + [calls, secure, gateway, routes])
            try await mesh.start(namespace: outside, injected: false, [client])
            return mesh
        }

        /// A certificate of its own authority, good for every host of the suite.
        private static func certificate(_ folder: String, _ name: String) async throws {
            try await command([
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:*.doors.example", "-keyout",
                "\(folder)/\(name).key", "-out", "\(folder)/\(name).crt",
            ]).checked()
        }

        private static func create(_ mesh: LocalMesh, _ what: [String], _ namespace: String, _ files: [String])
            async throws
        {
            let manifest = try await mesh.kubectl(
                ["create"] + what + ["-n", namespace, "--dry-run=client", "-o", "yaml"]
                    + files.map { "--from-file=\($0)" }
            ).checked().out
            try await mesh.apply(manifest)
        }

        private static let client = """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: client, namespace: doors-out}
            spec:
              selector: {matchLabels: {app: client}}
              template:
                metadata: {labels: {app: client}}
                spec:
                  volumes: [{name: people, secret: {secretName: people}}]
                  containers:
                  - name: curl
                    image: curlimages/curl
                    command: [sleep, "86400"]
                    volumeMounts: [{name: people, mountPath: /people}]
            """

        private static let calls = """
            apiVersion: v1
            kind: Service
            metadata: {name: calls, namespace: doors}
            spec: {selector: {app: one}, ports: [{name: grpc, port: 9090, targetPort: 9080}]}
            """

        /// A server that ends TLS itself, once as a port that the gateway speaks TLS to and once as a port of TLS.
        private static let secure = """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: secure, namespace: doors}
            spec:
              selector: {matchLabels: {app: secure}}
              template:
                metadata: {labels: {app: secure}}
                spec:
                  volumes: [{name: pair, secret: {secretName: server}}]
                  containers:
                  - name: app
                    image: local/openssl
                    command: [openssl, s_server, -accept, "9443", -cert, /pair/tls.crt, -key, /pair/tls.key, -www, -quiet]
                    volumeMounts: [{name: pair, mountPath: /pair}]
                    ports: [{containerPort: 9443}]
                  - name: bare
                    image: local/openssl
                    command: [openssl, s_server, -accept, "9445", -cert, /pair/tls.crt, -key, /pair/tls.key, -www, -quiet]
                    volumeMounts: [{name: pair, mountPath: /pair}]
                    ports: [{containerPort: 9445}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: secure, namespace: doors}
            spec:
              selector: {app: secure}
              ports: [{name: http-good, port: 9443}, {name: http-bad, port: 9444, targetPort: 9443}, {name: tls, port: 9445}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: BackendTLSPolicy
            metadata: {name: good, namespace: doors}
            spec:
              targetRefs: [{group: "", kind: Service, name: secure, sectionName: http-good}]
              validation: {hostname: secure.doors.example, caCertificateRefs: [{group: "", kind: ConfigMap, name: server-ca}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: BackendTLSPolicy
            metadata: {name: bad, namespace: doors}
            spec:
              targetRefs: [{group: "", kind: Service, name: secure, sectionName: http-bad}]
              validation: {hostname: secure.doors.example, caCertificateRefs: [{group: "", kind: ConfigMap, name: client-ca}]}
            """

        private static let gateway = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: doors, namespace: doors}
            spec:
              gatewayClassName: weft
              allowedListeners: {namespaces: {from: Same}}
              tls:
                frontend:
                  default: {}
                  perPort: [{port: 9443, tls: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: client-ca}]}}}]
              listeners:
              - {name: https, port: 443, protocol: HTTPS, hostname: "*.doors.example", tls: {certificateRefs: [{name: server}]}}
              - {name: own, port: 443, protocol: HTTPS, hostname: own.doors.example, tls: {certificateRefs: [{name: server}]}}
              - {name: members, port: 9443, protocol: HTTPS, tls: {certificateRefs: [{name: server}]}}
              - {name: ends, port: 8443, protocol: TLS, hostname: ends.doors.example, tls: {mode: Terminate, certificateRefs: [{name: server}]}}
              - {name: passes, port: 8443, protocol: TLS, hostname: "*.doors.example", tls: {mode: Passthrough}}
              - {name: tcp, port: 9000, protocol: TCP}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: ListenerSet
            metadata: {name: more, namespace: doors}
            spec: {parentRef: {name: doors}, listeners: [{name: web, port: 8081, protocol: HTTP}]}
            """

        private static let routes = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: web, namespace: doors}
            spec:
              parentRefs: [{name: doors, sectionName: https}, {name: doors, sectionName: members}, {kind: ListenerSet, name: more}]
              hostnames: [web.doors.example]
              rules:
              - matches: [{path: {value: /backend/good}}]
                backendRefs: [{name: secure, port: 9443}]
              - matches: [{path: {value: /backend/bad}}]
                backendRefs: [{name: secure, port: 9444}]
              - matches: [{path: {value: /cors}}]
                filters: [{type: CORS, cors: {allowOrigins: ["https://*.shop.example"], allowMethods: [PUT], maxAge: 60}}]
                backendRefs: [{name: one, port: 9080}]
              - backendRefs: [{name: one, port: 9080}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: own, namespace: doors}
            spec: {parentRefs: [{name: doors, sectionName: own}], rules: [{backendRefs: [{name: two, port: 9080}]}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: GRPCRoute
            metadata: {name: calls, namespace: doors}
            spec:
              parentRefs: [{name: doors, sectionName: https}]
              hostnames: [calls.doors.example]
              rules:
              - matches: [{method: {service: weft.samples.Echo, method: First}}]
                filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-rule, value: first}]}}]
                backendRefs: [{name: calls, port: 9090}]
              - matches: [{method: {service: weft.samples.Lost}}]
                backendRefs: [{name: nobody, port: 9090}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: TLSRoute
            metadata: {name: ends, namespace: doors}
            spec: {parentRefs: [{name: doors, sectionName: ends}], hostnames: [ends.doors.example], rules: [{backendRefs: [{name: one, port: 9080}]}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: TLSRoute
            metadata: {name: passes, namespace: doors}
            spec: {parentRefs: [{name: doors, sectionName: passes}], hostnames: [secure.doors.example, ends.doors.example], rules: [{backendRefs: [{name: secure, port: 9445}]}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1alpha2
            kind: TCPRoute
            metadata: {name: tcp, namespace: doors}
            spec: {parentRefs: [{name: doors, sectionName: tcp}], rules: [{backendRefs: [{name: two, port: 9080}]}]}
            """

        private static let caller = Task {
            let mesh = try await GatewayAPIProfileTests.mesh.value
            try await mesh.kubectl(
                "wait", "-n", namespace, "gateways.gateway.networking.k8s.io/doors", "--for=condition=Programmed",
                "--timeout=90s", timeout: 100
            ).checked()
            let caller = Caller(mesh: mesh, namespace: outside)
            try await eventually("the gateway answers") {
                try await ask(caller, "https://web.doors.example/").status == 200 ? true : nil
            }
            return caller
        }

        /// A request to the gateway at the port of the address.
        private static func ask(_ caller: Caller, _ address: String, _ more: String = "") async throws -> Answer {
            let curl = "curl -s -i --max-time 10 --cacert /people/server.crt --connect-to ::doors-weft.\(namespace):"
            return Answer(try await caller.shell("\(curl) \(more) \(address)"))
        }

        /// GATEWAY-HTTP: a host belongs to one listener of a port, and connections for another are told so.
        @Test func httpsBelongsToItsListener() async throws {
            let caller = try await Self.caller.value
            let web = try await Self.ask(caller, "https://web.doors.example/x")
            #expect(web.echoed("hostname")?.hasPrefix("one-") == true, "\(web)")
            let own = try await Self.ask(caller, "https://own.doors.example/x")
            #expect(own.echoed("hostname")?.hasPrefix("two-") == true, "\(own)")
            #expect(try await Self.ask(caller, "https://lost.doors.example/").status == 404)
            let astray = try await Self.ask(caller, "https://web.doors.example/", "-H 'Host: own.doors.example'")
            #expect(astray.status == 421, "\(astray)")
            let listeners = try await Self.mesh.value.kubectl(
                "get", "-n", Self.namespace, "gateways.gateway.networking.k8s.io", "doors", "-o",
                "jsonpath={range .status.listeners[*]}{.name}={.conditions[?(@.type==\"OverlappingTLSConfig\")].reason} {end}"
            ).checked().out
            #expect(
                listeners.split(separator: " ") == [
                    "https=OverlappingHostnames", "own=OverlappingHostnames", "members=", "ends=", "passes=", "tcp=",
                ])
        }

        @Test func originsAreChecked() async throws {
            let caller = try await Self.caller.value
            for (origin, isAllowed) in [("https://a.shop.example", true), ("https://shop.example", false)] {
                let answer = try await Self.ask(
                    caller, "https://web.doors.example/cors",
                    "-X OPTIONS -H 'Origin: \(origin)' -H 'access-control-request-method: PUT'")
                #expect(answer.status == 200, "\(answer)")
                #expect(answer.headers["access-control-allow-origin"] == (isAllowed ? origin : nil), "\(answer)")
                #expect(answer.headers["access-control-allow-methods"] == (isAllowed ? "PUT" : nil), "\(answer)")
            }
        }

        /// A ListenerSet's port is the gateway's like any other.
        @Test func aListenerSetsPortIsServed() async throws {
            let caller = try await Self.caller.value
            let answer = try await Self.ask(caller, "http://web.doors.example:8081/x")
            #expect(answer.echoed("hostname")?.hasPrefix("one-") == true, "\(answer)")
        }

        /// The one port that wants certificates of clients takes those of its authority.
        @Test func clientsProveWhoTheyAre() async throws {
            let caller = try await Self.caller.value
            for (person, status) in [("client", 200), ("stranger", 0), (nil as String?, 0)] {
                let pair = person.map { "--cert /people/\($0).crt --key /people/\($0).key" } ?? ""
                let answer = try await Self.ask(caller, "https://web.doors.example:9443/", pair)
                #expect(answer.status == status, "\(person ?? "nobody"): \(answer)")
            }
        }

        /// BackendTLSPolicy: the gateway speaks TLS to the backend, and to nobody whom the authority has not signed.
        @Test func backendsAreVerified() async throws {
            let caller = try await Self.caller.value
            let good = try await Self.ask(caller, "https://web.doors.example/backend/good")
            #expect(good.status == 200 && good.body.contains("TLSv1"), "\(good)")
            #expect(try await Self.ask(caller, "https://web.doors.example/backend/bad").status == 503)
        }

        /// GATEWAY-TLS: ending TLS and passing it through on one port, each by its names.
        @Test func serverNamesDecideWhoEndsTLS() async throws {
            let caller = try await Self.caller.value
            let ends = try await Self.ask(caller, "https://ends.doors.example:8443/x")
            #expect(ends.echoed("hostname")?.hasPrefix("one-") == true, "\(ends)")
            let passes = try await Self.ask(caller, "https://secure.doors.example:8443/")
            #expect(passes.status == 200 && passes.body.contains("s_server"), "\(passes)")
            #expect(try await Self.ask(caller, "https://lost.doors.example:8443/").status == 0)
            let tcp = try await Self.ask(caller, "http://any.doors.example:9000/x")
            #expect(tcp.echoed("hostname")?.hasPrefix("two-") == true, "\(tcp)")
        }

        /// GATEWAY-GRPC: by service and method; 503 where nobody answers, which clients read as UNAVAILABLE.
        @Test func callsAreRoutedByMethod() async throws {
            let caller = try await Self.caller.value
            func call(_ method: String) async throws -> Answer {
                Answer(
                    try await caller.shell(
                        """
                        printf '\\0\\0\\0\\0\\005hello' | curl -s -D - --http2 --max-time 20 --cacert /people/server.crt \
                        --connect-to ::doors-weft.\(Self.namespace): -H 'content-type: application/grpc' -H 'te: trailers' \
                        --data-binary @- https://calls.doors.example/\(method) | tr -d '\\000\\005'
                        """))
            }
            let first = try await call("weft.samples.Echo/First")
            #expect(first.headers["x-rule"] == "first" && first.headers["x-echo-host"]?.hasPrefix("one-") == true)
            #expect(first.description.contains("hello") && first.description.contains("grpc-status: 0"), "\(first)")
            #expect(try await call("weft.samples.Lost/Any").headers["grpc-status"] == "14")
            #expect(try await call("weft.samples.Echo/Second").headers["grpc-status"] == "12")
        }

        /// `weft wait` by the names that kubectl takes, and what a class says of the cluster's definitions.
        @Test func everyKindCanBeWaitedFor() async throws {
            _ = try await Self.caller.value
            let mesh = try await Self.mesh.value
            for name in ["gtw/doors", "lset/more", "httproute/web", "grpcroute/calls", "tlsroute/ends", "tcproute/tcp"]
            {
                try await mesh.weft("wait", name, "-n", Self.namespace, "--timeout", "60s").checked()
            }
            try await mesh.weft("wait", "btlspolicy/good", "-n", Self.namespace, "--timeout", "60s").checked()
            let version = try await mesh.kubectl(
                "get", "gatewayclass", "weft", "-o",
                "jsonpath={.status.conditions[?(@.type==\"SupportedVersion\")].status}"
            ).checked().out
            #expect(version == "True")
        }
    }
}
