import WeftConfig
import WeftCore
import WeftIR

/// Looks at the listeners of a Gateway: protocols, ports, conflicts, certificates.
struct GatewayListenerReader {
    let objects: GatewayAPIObjects

    /// Ports that the proxy itself listens on.
    static let reservedPorts: Set<Int> = [15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090]
    private static let kinds: [String: [String]] = [
        "HTTP": ["HTTPRoute", "GRPCRoute"], "HTTPS": ["HTTPRoute", "GRPCRoute"], "TLS": ["TLSRoute"],
        "TCP": ["TCPRoute"],
    ]

    func listeners(of gateway: Config<GatewayAPI.Gateway>, sets: [Config<GatewayAPI.ListenerSet>])
        -> [GatewayListenerState]
    {
        var owners: [[GatewayListenerState]] = [
            (gateway.spec.listeners ?? []).map { read($0, owner: gateway.resource, gateway: gateway) }
        ]
        owners += sets.map { set in
            (set.spec.listeners ?? []).map { read($0, owner: set.resource, gateway: gateway) }
        }
        markConflicts(&owners)
        var listeners = owners.flatMap { $0 }
        markOverlaps(&listeners)
        return listeners
    }

    private func read(
        _ listener: GatewayAPI.Listener, owner: ResourceReference, gateway: Config<GatewayAPI.Gateway>
    ) -> GatewayListenerState {
        let (kinds, badKinds) = kinds(of: listener)
        var state = GatewayListenerState(owner: owner, spec: listener, supportedKinds: kinds)
        if Self.kinds[listener.protocol] == nil {
            state.refusal = ReferenceProblem(
                reason: "UnsupportedProtocol",
                message: "protocol \(listener.protocol) is not supported: use HTTP, HTTPS, TLS or TCP")
        } else if Self.reservedPorts.contains(listener.port) {
            state.refusal = ReferenceProblem(
                reason: "PortUnavailable", message: "port \(listener.port) is used by the proxy itself")
        }
        if !badKinds.isEmpty {
            state.unresolved = ReferenceProblem(
                reason: "InvalidRouteKinds",
                message:
                    "routes of kind \(badKinds.joined(separator: ", ")) cannot attach to a listener of protocol \(listener.protocol)"
            )
        }
        if state.needsCertificate {
            readCertificates(&state)
            readClientAuthority(&state, gateway)
        }
        let known: Set<String> = [GatewayListenerState.terminateModeOption]
        state.unknownOptions = (listener.tls?.options ?? [:]).keys.filter { !known.contains($0) }.sorted()
        return state
    }

    private func kinds(of listener: GatewayAPI.Listener) -> (good: [String], bad: [String]) {
        let possible = Self.kinds[listener.protocol] ?? []
        guard let asked = listener.allowedRoutes?.kinds, !asked.isEmpty else { return (possible, []) }
        func isGood(_ kind: GatewayAPI.RouteGroupKind) -> Bool {
            (kind.group ?? GatewayAPI.group) == GatewayAPI.group && possible.contains(kind.kind)
        }
        return (asked.filter(isGood).map(\.kind), asked.filter { !isGood($0) }.map(\.kind))
    }

    // MARK: - Conflicts

    /// Inside one object all that conflict lose; between objects the earlier one keeps what it has.
    private func markConflicts(_ owners: inout [[GatewayListenerState]]) {
        var earlier: [GatewayListenerState] = []
        for index in owners.indices {
            for position in owners[index].indices {
                let own = owners[index][position]
                let others = owners[index].enumerated().filter { $0.offset != position }.map(\.element) + earlier
                owners[index][position].conflict = others.lazy.compactMap { Self.conflict(own, with: $0) }.first
            }
            earlier += owners[index].filter { $0.conflict == nil }
        }
    }

    private static func conflict(_ own: GatewayListenerState, with other: GatewayListenerState) -> ReferenceProblem? {
        guard own.spec.port == other.spec.port, kinds[own.protocol] != nil, kinds[other.protocol] != nil else {
            return nil
        }
        func family(_ name: String) -> String { name == "HTTPS" ? "TLS" : name }
        let place = "port \(own.spec.port)"
        if family(own.protocol) != family(other.protocol) || own.protocol == "TCP" {
            return ReferenceProblem(
                reason: "ProtocolConflict",
                message: "\(place) is also asked for by listener \(other.spec.name) with protocol \(other.protocol)")
        }
        guard own.hostname == other.hostname else { return nil }
        return ReferenceProblem(
            reason: own.protocol == other.protocol ? "HostnameConflict" : "ProtocolConflict",
            message: "\(place) with hostname \(own.hostname) is also asked for by listener \(other.spec.name)")
    }

    /// Clients that reuse a connection for every host of its certificate may send one listener's requests to another.
    private func markOverlaps(_ listeners: inout [GatewayListenerState]) {
        let secured = listeners.indices.filter { listeners[$0].protocol == "HTTPS" && listeners[$0].isAccepted }
        for index in secured {
            let own = listeners[index]
            let others = secured.filter {
                $0 != index && listeners[$0].spec.port == own.spec.port
                    && GatewayHostname.intersection(listeners[$0].hostname, own.hostname) != nil
            }
            listeners[index].overlaps = others.map { listeners[$0].spec.name }
        }
    }

    // MARK: - Certificates

    private func readCertificates(_ state: inout GatewayListenerState) {
        if state.usesMeshCertificate { return }
        let references = state.spec.tls?.certificateRefs ?? []
        var problem: ReferenceProblem?
        if references.isEmpty {
            problem = ReferenceProblem(
                reason: "InvalidCertificateRef",
                message: "protocol \(state.protocol) needs tls.certificateRefs with a Secret of type kubernetes.io/tls")
        }
        for reference in references {
            switch certificate(reference, from: state.owner) {
            case .success(let secret): state.certificates.append(secret)
            case .failure(let error): problem = problem ?? error.problem
            }
        }
        if let problem { state.unresolved = state.unresolved ?? problem }
    }

    struct ReferenceError: Error { var problem: ReferenceProblem }

    private func failure<T>(_ reason: String, _ message: String) -> Result<T, ReferenceError> {
        .failure(ReferenceError(problem: ReferenceProblem(reason: reason, message: message)))
    }

    /// A certificate with its key, from a Secret that `owner` may use.
    func certificate(
        _ reference: GatewayAPI.ObjectReference, from owner: ResourceReference,
        invalid: String = "InvalidCertificateRef"
    ) -> Result<Secret, ReferenceError> {
        let namespace = reference.namespace ?? owner.namespace
        let shown = "\(namespace)/\(reference.name)"
        guard (reference.group ?? "").isEmpty, (reference.kind ?? "Secret") == "Secret" else {
            return failure(invalid, "certificate \(reference.kind ?? "") \(shown) is not a Secret")
        }
        let target = (group: "", kind: "Secret", namespace: namespace, name: reference.name)
        guard objects.permits(owner.kind, in: owner.namespace, to: target) else {
            return failure(
                "RefNotPermitted",
                "Secret \(shown) is in another namespace and no ReferenceGrant there allows \(owner.kind)s of namespace \(owner.namespace)"
            )
        }
        guard let secret = objects.secrets[shown] else {
            return failure(invalid, "Secret \(shown) does not exist or holds no certificate")
        }
        func pem(_ key: String) -> String? {
            secret.json["data"]?[key]?.stringValue.flatMap(Base64.decode).map { String(decoding: $0, as: UTF8.self) }
        }
        guard let chain = pem("tls.crt"), let key = pem("tls.key"), PEMText.holds("CERTIFICATE", in: chain),
            PEMText.holds("PRIVATE KEY", in: key)
        else {
            return failure(invalid, "Secret \(shown) has no PEM certificate and key under tls.crt and tls.key")
        }
        return .success(
            Secret(
                name: "kubernetes-gateway://\(shown)",
                content: .certificate(chainPEM: chain, privateKey: PrivateBytes(Array(key.utf8)))))
    }

    private func readClientAuthority(_ state: inout GatewayListenerState, _ gateway: Config<GatewayAPI.Gateway>) {
        guard state.protocol == "HTTPS", let validation = gateway.spec.tls?.validation(port: state.spec.port) else {
            return
        }
        state.clientMode = validation.mode ?? .allowValidOnly
        let (authority, problem) = authority(validation.caCertificateRefs, from: gateway.resource)
        state.clientAuthority = authority
        if let problem { state.unresolved = state.unresolved ?? problem }
        if authority == nil {
            state.refusal = ReferenceProblem(
                reason: "NoValidCACertificate",
                message: problem?.message
                    ?? "tls.frontend names no authority that clients' certificates can be verified by"
            )
        }
    }

    /// Authorities of all references together, from key `ca.crt` of ConfigMaps (or Secrets).
    func authority(
        _ references: [GatewayAPI.ObjectReference], from owner: ResourceReference,
        kindReason: String =
            "InvalidCACertificateKind"
    ) -> (Secret?, ReferenceProblem?) {
        var (texts, names): ([String], [String]) = ([], [])
        var problem: ReferenceProblem?
        for reference in references {
            let namespace = reference.namespace ?? owner.namespace
            let kind = reference.kind ?? "ConfigMap"
            let shown = "\(kind) \(namespace)/\(reference.name)"
            func note(_ reason: String, _ message: String) {
                problem = problem ?? ReferenceProblem(reason: reason, message: message)
            }
            guard (reference.group ?? "").isEmpty, kind == "ConfigMap" || kind == "Secret" else {
                note(kindReason, "authority \(shown) is neither a ConfigMap nor a Secret")
                continue
            }
            let target = (group: "", kind: kind, namespace: namespace, name: reference.name)
            guard objects.permits(owner.kind, in: owner.namespace, to: target) else {
                note(
                    "RefNotPermitted",
                    "\(shown) is in another namespace and no ReferenceGrant there allows \(owner.kind)s of namespace \(owner.namespace)"
                )
                continue
            }
            guard let text = authorityText(kind, "\(namespace)/\(reference.name)"),
                PEMText.holds("CERTIFICATE", in: text)
            else {
                note("InvalidCACertificateRef", "\(shown) does not exist or has no PEM certificate under key ca.crt")
                continue
            }
            texts.append(text)
            names.append("\(kind == "Secret" ? "kubernetes-gateway" : "configmap")://\(namespace)/\(reference.name)")
        }
        guard !texts.isEmpty else { return (nil, problem) }
        let content = Secret.Content.validation(trustedCAPEM: texts.joined(separator: "\n"))
        return (Secret(name: names.joined(separator: ",") + "-cacert", content: content), problem)
    }

    private func authorityText(_ kind: String, _ key: String) -> String? {
        if kind == "ConfigMap" { return objects.configMaps[key]?.json["data"]?["ca.crt"]?.stringValue }
        return objects.secrets[key]?.json["data"]?["ca.crt"]?.stringValue.flatMap(Base64.decode).map {
            String(decoding: $0, as: UTF8.self)
        }
    }
}

/// What PEM text holds, as far as its frame and its alphabet say.
enum PEMText {
    /// Whether there is a block whose label ends with `label` (`EC PRIVATE KEY` is a `PRIVATE KEY`) and whose body is base64.
    static func holds(_ label: String, in text: String) -> Bool {
        var body: String?
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.filter { $0 != "\r" }
            if line.hasPrefix("-----BEGIN "), line.hasSuffix("\(label)-----") {
                body = ""
            } else if line.hasPrefix("-----END "), let found = body {
                return !found.isEmpty && found.utf8.allSatisfy(isBase64)
            } else {
                body?.append(contentsOf: line)
            }
        }
        return false
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="):
            true
        default: false
        }
    }
}
