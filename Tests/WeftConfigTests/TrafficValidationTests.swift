import Testing
import WeftConfig
import WeftCore

/// What is wrong with a spec, as `severity path: message`.
private func findings(_ kind: String, _ spec: String) throws -> [String] {
    let object = KubernetesObject([
        "apiVersion": "networking.istio.io/v1", "kind": .string(kind), "metadata": ["name": "x", "namespace": "dev"],
        "spec": try YAMLReader.value(in: spec),
    ])
    return Validator.validate(object: object).map { "\($0.severity.rawValue) \($0.path ?? ""): \($0.message)" }
}

struct TrafficValidationTests {
    @Test(arguments: [
        ("fault: {abort: {http2Error: x}}", "Error", "fault.abort.http2Error", "not supported yet"),
        ("fault: {abort: {grpcStatus: NOPE}}", "Error", "fault.abort.grpcStatus", "not supported"),
        ("fault: {abort: {grpcStatus: ABORTED, httpStatus: 500}}", "Error", "fault.abort", "only one"),
        ("fault: {delay: {exponentialDelay: 1s}}", "Error", "fault.delay.exponentialDelay", "not supported yet"),
        ("fault: {delay: {fixedDelay: 1s}}", "Warning", "fault.delay", "no request is delayed"),
        ("fault: {abort: {httpStatus: 503}}", "Warning", "fault.abort", "no request is aborted"),
        ("fault: {delay: {percent: 5, fixedDelay: 1s}}", "Warning", "fault.delay.percent", "deprecated"),
        ("rewrite: {}", "Error", "rewrite", "must specify"),
        ("rewrite: {uri: /a, uriRegexRewrite: {match: a, rewrite: b}}", "Error", "rewrite", "only contain one"),
        ("mirror_percent: 5", "Warning", "mirrorPercent", "deprecated"),
        ("headers: {request: {remove: [host]}}", "Error", "headers.request.remove[host]", "rewrite.authority"),
        ("headers: {response: {set: {':status': x}}}", "Error", "headers.response.set[:status]", "pseudo"),
        ("headers: {request: {add: {'a b': x}}}", "Error", "headers.request.add[a b]", "not valid"),
        ("corsPolicy: {allowMethods: ['G ET']}", "Error", "corsPolicy.allowMethods[0]", "not a supported"),
        ("corsPolicy: {maxAge: 1500ms}", "Error", "corsPolicy.maxAge", "accurate only to seconds"),
        ("corsPolicy: {allowOrigin: [a]}", "Warning", "corsPolicy.allowOrigin", "deprecated"),
        (
            "match: [{uri: {regex: a}, ignoreUriCase: true}]", "Warning", "match[0].ignoreUriCase",
            "no effect on a regular"
        ),
        (
            "match: [{headers: {a: {exact: b}}, withoutHeaders: {a: {}}}]", "Error", "match[0].withoutHeaders[a]",
            "nothing matches"
        ),
    ])
    func routes(field: String, severity: String, path: String, text: String) throws {
        let found = try findings(
            "VirtualService", "{hosts: [a], http: [{route: [{destination: {host: a}}], \(field)}]}")
        let hinted = text == "rewrite.authority" ? "cannot be changed here" : text
        #expect(
            found.contains { $0.hasPrefix("\(severity) spec.http[0].\(path): ") && $0.contains(hinted) }, "\(found)")
    }

    @Test(arguments: [
        ("http: [{redirect: {scheme: ftp}}]", "Error spec.http[0].redirect.scheme", "must be http or https"),
        ("http: [{redirect: {}}]", "Error spec.http[0].redirect", "must specify"),
        ("http: [{redirect: {port: 80, derivePort: FROM_REQUEST_PORT}}]", "Error spec.http[0].redirect", "only one"),
        (
            "http: [{directResponse: {status: 200, body: {bytes: '%'}}}]",
            "Error spec.http[0].directResponse.body.bytes", "base64"
        ),
        ("http: [{delegate: {}}]", "Error spec.http[0].delegate.name", "required"),
        (
            "tcp: [{match: [{destinationSubnets: [10.0.0.0/33]}], route: [{destination: {host: a}}]}]",
            "Error spec.tcp[0].match[0].destinationSubnets[0]", "not a valid IP"
        ),
        (
            "tls: [{match: [{sniHosts: [b.example.com]}], route: [{destination: {host: a}}]}]",
            "Error spec.tls[0].match[0].sniHosts[0]", "not a compatible subset"
        ),
    ])
    func otherParts(spec: String, place: String, text: String) throws {
        let found = try findings("VirtualService", "{hosts: [a.example.com], \(spec)}")
        #expect(found.contains { $0.hasPrefix("\(place): ") && $0.contains(text) }, "\(found)")
    }

    @Test(arguments: [
        ("loadBalancer: {simple: LEAST_CONN}", "Warning", "loadBalancer.simple", "deprecated"),
        ("loadBalancer: {simple: RANDOM, warmup: {duration: 1s}}", "Warning", "loadBalancer", "no effect"),
        ("loadBalancer: {simple: ROUND_ROBIN, warmup: {}}", "Error", "loadBalancer.warmup.duration", "required"),
        (
            "loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 1s, aggression: 0.5}}", "Error",
            "loadBalancer.warmup.aggression", "1 or more"
        ),
        (
            "loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 100}}}", "Error",
            "loadBalancer.consistentHash.maglev.tableSize", "prime"
        ),
        (
            "loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: 1s, attributes: [{name: a}, {value: b}]}}}",
            "Error", "loadBalancer.consistentHash.httpCookie.attributes[1].name", "needs a name"
        ),
        (
            "loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: 1s, attributes: [{name: a, value: 'b; c'}]}}}",
            "Error", "loadBalancer.consistentHash.httpCookie.attributes[0].value", "cannot stand"
        ),
        (
            "loadBalancer: {consistentHash: {useSourceIp: true, maglev: {}, ringHash: {}}}", "Error",
            "loadBalancer.consistentHash", "only one of ringHash"
        ),
        (
            "loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {a: 50}}]}}", "Error",
            "loadBalancer.localityLbSetting.distribute[0].to", "must be 100"
        ),
        (
            "loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}", "Warning",
            "loadBalancer.localityLbSetting", "without outlierDetection"
        ),
        (
            "loadBalancer: {localityLbSetting: {failover: [{from: a, to: a}]}}, outlierDetection: {}", "Error",
            "loadBalancer.localityLbSetting.failover[0]", "different regions"
        ),
        (
            "loadBalancer: {zoneAwareLbSetting: {failover: [{from: a, to: a}]}}", "Error",
            "loadBalancer.zoneAwareLbSetting.failover[0]", "different regions"
        ),
        (
            "loadBalancer: {zoneAwareLbSetting: {enabled: true}, localityLbSetting: {enabled: false}}", "Warning",
            "loadBalancer.zoneAwareLbSetting", "localityLbSetting has no effect"
        ),
        (
            "loadBalancer: {zoneAwareLbSetting: {enabled: true}, consistentHash: {useSourceIp: true}}", "Warning",
            "loadBalancer.zoneAwareLbSetting", "consistentHash"
        ),
        (
            "outlierDetection: {outlierDetectionHttpErrorCodes: [429, 99]}", "Error",
            "outlierDetection.outlierDetectionHttpErrorCodes[1]", "100 to 599"
        ),
        ("retryBudget: {percent: 120}", "Error", "retryBudget.percent", ""),
        ("retryBudget: {budgetInterval: 1s}", "Warning", "retryBudget.budgetInterval", "no effect"),
        ("proxyProtocol: {version: V3}", "Error", "proxyProtocol.version", "V1 or V2"),
        ("tls: {mode: MUTUAL, credentialName: a, caCertificates: b}", "Error", "tls", "if credentialName is set"),
        (
            "tls: {mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]}", "Error", "tls",
            "when insecureSkipVerify is set"
        ),
        ("tunnel: {protocol: GET, targetHost: a, targetPort: 1}", "Error", "tunnel.protocol", "CONNECT"),
        ("tunnel: {targetPort: 1}", "Error", "tunnel.targetHost", "required"),
    ])
    func policies(field: String, severity: String, path: String, text: String) throws {
        let found = try findings("DestinationRule", "{host: a, trafficPolicy: {\(field)}}")
        #expect(
            found.contains { $0.hasPrefix("\(severity) spec.trafficPolicy.\(path): ") && $0.contains(text) }, "\(found)"
        )
    }

    @Test(arguments: [
        ("defaultEndpoint: '127.0.0.1:80'", "Warning", "defaultEndpoint", "no effect"),
        ("bind: example.com", "Error", "bind", "IP address"),
        ("tls: {mode: AUTO_PASSTHROUGH}", "Error", "tls.mode", "needs protocol TLS"),
        ("tls: {mode: SIMPLE, credentialNames: [a, b, c]}", "Error", "tls.credentialNames", "at most two"),
        (
            "tls: {mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2}", "Error",
            "tls.minProtocolVersion", "above"
        ),
        (
            "tls: {mode: MUTUAL, credentialName: a, verifyCertificateHash: [ab]}", "Error",
            "tls.verifyCertificateHash[0]", "SHA-256"
        ),
        (
            "tls: {mode: MUTUAL, credentialName: a, verifyCertificateSpki: [ab]}", "Error",
            "tls.verifyCertificateSpki[0]", "base64"
        ),
        ("tls: {mode: SIMPLE, credentialName: a, subjectAltNames: [b]}", "Warning", "tls", "not asked for"),
        (
            "tls: {mode: OPTIONAL_MUTUAL, serverCertificate: a, privateKey: b}", "Error", "tls.caCertificates",
            "client CA"
        ),
    ])
    func servers(field: String, severity: String, path: String, text: String) throws {
        let found = try findings(
            "Gateway",
            "{selector: {a: b}, servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*'], \(field)}]}"
        )
        #expect(
            found.contains { $0.hasPrefix("\(severity) spec.servers[0].\(path): ") && $0.contains(text) }, "\(found)")
    }

    /// Everything at once, and nothing to say.
    @Test func whatIsRightIsTaken() throws {
        #expect(
            try findings(
                "VirtualService",
                "{hosts: [a.example.com], http: [{redirect: {redirectCode: 302, authority: b}}, {route: [{destination: {host: a}}], headers: {request: {set: {Host: x}}}, corsPolicy: {allowMethods: [GET], maxAge: 60s}}], tcp: [{match: [{destinationSubnets: [10.0.0.0/8, 'fd00::/8', '::1', 1.2.3.4]}], route: [{destination: {host: a}}]}], tls: [{match: [{sniHosts: [a.example.com]}], route: [{destination: {host: a}}]}]}"
            ) == [])
        #expect(
            try findings(
                "DestinationRule",
                "{host: a, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 30s}, localityLbSetting: {distribute: [{from: r/*, to: {r/z/*: 30, r/y/*: 70}}]}}, tls: {mode: SIMPLE}, retryBudget: {percent: 25.5}}}"
            ) == [])
        #expect(
            try findings(
                "Gateway",
                "{selector: {a: b}, servers: [{port: {number: 443, name: tls, protocol: TLS}, bind: 10.0.0.1, hosts: ['*'], tls: {mode: AUTO_PASSTHROUGH}}]}"
            ) == [])
    }
}
