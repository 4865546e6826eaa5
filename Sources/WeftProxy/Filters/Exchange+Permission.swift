import NIOCore
import SwiftProtobuf
import Synchronization
import WeftHTTP
import WeftIR
import WeftProto
import WeftRouting

/// Asks an authorization service before the router (`envoy.service.auth.v3.Authorization`, or plain HTTP).
extension Exchange {
    func askForPermission(_ authorizer: ExternalAuthorizer, _ name: String) -> FilterStep {
        var settings = authorizer.settings
        var own: ExternalAuthorization.CheckSettings?
        switch routeFilter(name) {
        case .externalAuthorization(let route)?:
            own = route
            settings = authorizer.with(route)
        case .disabled?: return .next
        default: break
        }
        if let told = authorizer.enabledMetadata, !told.matches(filterState?.metadata ?? [:]) {
            authorizer.counts.disabled.wrappingAdd(1, ordering: .relaxed)
            if settings.deniesWhenDisabled { permissionUnknown(nil, settings) }
            return .next
        }
        guard draw() < settings.enabled.partsPerMillion else {
            authorizer.counts.disabled.wrappingAdd(1, ordering: .relaxed)
            if settings.deniesWhenDisabled { permissionUnknown(nil, settings) }
            return .next
        }
        let question = PermissionQuestion(authorizer: authorizer, settings: settings, route: own)
        guard let body = settings.body, !requestEnded || !self.body.isEmpty, !isUpgrade else {
            ask(question)
            return .pause
        }
        if requestEnded {
            guard body.allowsPartial || bodyBytes <= Int(body.maxRequestBytes) else {
                reply(.bodyTooLarge)
                return .next
            }
            ask(question)
        } else {
            awaitBody(limit: Int(body.maxRequestBytes), takesPart: body.allowsPartial) { [weak self] in
                self?.ask(question)
            }
        }
        return .pause
    }

    private func ask(_ question: PermissionQuestion) {
        let call =
            switch question.settings.service {
            case .http(let service): askByHTTP(question, service)
            case .grpc(let target): askByGRPC(question, target)
            }
        if let call { keptState().cancelCall = { call.cancel() } }
    }

    private func askByHTTP(_ question: PermissionQuestion, _ service: ExternalAuthorization.HTTPService) -> ClusterCall?
    {
        guard let compiled = question.authorizer.compiled(question.route?.service == nil ? nil : service) else {
            return nil
        }
        let shown = question.settings.body.flatMap { shownBody($0) }
        var request = compiled.question(head, body: shown) { Substitution.expand($0, self) }
        OwnRequest.mark(&request)
        request.headers.set(.expectedTimeout, String(service.timeoutMilliseconds))
        var isOver = false
        let call = ClusterCall.start(
            request, body: shown?.bytes, cluster: service.cluster, on: worker,
            timeoutMilliseconds: service.timeoutMilliseconds, limit: GRPCAnswer.limit
        ) { [weak self] result in
            isOver = true
            guard let self, !isFinished else { return }
            filterState?.cancelCall = nil
            switch result {
            case .success(let answer): judge(compiled.verdict(answer.head, body: String(buffer: answer.body)), question)
            case .failure: judge(.failure(nil), question)
            }
        }
        return isOver ? nil : call
    }

    private func askByGRPC(_ question: PermissionQuestion, _ target: GRPCServiceTarget) -> ClusterCall? {
        let check = checkRequest(question)
        guard let bytes: [UInt8] = try? check.serializedBytes() else { return nil }
        return grpcCall(
            "/envoy.service.auth.v3.Authorization/Check", target, bytes,
            timeoutMilliseconds: target.timeoutMilliseconds ?? 200
        ) { [weak self] result in
            guard let self, !isFinished else { return }
            filterState?.cancelCall = nil
            switch GRPCAnswer.message(result, as: Envoy_Service_Auth_V3_CheckResponse.self) {
            case .success(let answer): judge(ExternalAuthorizer.Verdict(answer), question)
            case .failure: judge(.failure(nil), question)
            }
        }
    }

    /// As much of the body as a service may see, as far as it has come.
    func shownBody(_ settings: ExternalAuthorization.Body) -> (bytes: ByteBuffer, isPartial: Bool)? {
        guard !body.isEmpty else { return nil }
        var bytes = ByteBuffer()
        let limit = Int(settings.maxRequestBytes)
        for piece in body where bytes.readableBytes < limit {
            let rest = min(piece.readableBytes, limit - bytes.readableBytes)
            bytes.writeBytes(piece.readableBytesView.prefix(rest))
        }
        return (bytes, bodyBytes > bytes.readableBytes)
    }

    // MARK: Answers

    private func judge(_ verdict: ExternalAuthorizer.Verdict, _ question: PermissionQuestion) {
        let (counts, settings) = (question.authorizer.counts, question.settings)
        switch verdict {
        case .allow(let wanted):
            guard let changes = question.authorizer.screened(wanted) else { return judge(.failure(nil), question) }
            counts.ok.wrappingAdd(1, ordering: .relaxed)
            note(changes.metadata, settings)
            take(changes, settings)
            runFilters()
        case .deny(let refusal):
            counts.denied.wrappingAdd(1, ordering: .relaxed)
            note(refusal.metadata, settings)
            refuse(refusal, refusal.status ?? 403, "ext_authz_denied", settings)
        case .failure(let refusal):
            counts.error.wrappingAdd(1, ordering: .relaxed)
            guard settings.failureModeAllows else { return permissionUnknown(refusal, settings) }
            counts.failureModeAllowed.wrappingAdd(1, ordering: .relaxed)
            if settings.failureModeAllowAddsHeader { head.headers.set("x-envoy-auth-failure-mode-allowed", "true") }
            if settings.clearsRouteCache { chooseRouteAnew() }
            runFilters()
        }
    }

    private func note(_ metadata: [String: DynamicValue], _ settings: ExternalAuthorization) {
        guard settings.takesDynamicMetadata, !metadata.isEmpty else { return }
        keptState().metadata["envoy.filters.http.ext_authz"] = .object(metadata)
    }

    private func permissionUnknown(_ refusal: ExternalAuthorizer.Refusal?, _ settings: ExternalAuthorization) {
        let refusal = refusal ?? ExternalAuthorizer.Refusal(status: nil)
        refuse(refusal, refusal.status ?? settings.statusOnError, "ext_authz_error", settings)
    }

    private func refuse(
        _ refusal: ExternalAuthorizer.Refusal, _ status: UInt16, _ details: String, _ settings: ExternalAuthorization
    ) {
        var body = refusal.body
        if settings.maxDeniedBodyBytes > 0, body.utf8.count > settings.maxDeniedBodyBytes {
            body = String(decoding: body.utf8.prefix(Int(settings.maxDeniedBodyBytes)), as: UTF8.self)
        }
        var headers = HeaderBlock()
        for change in refusal.headers where change.isValid && !change.name.hasPrefix(":") { headers.apply(change) }
        reply(
            .service(status: status, body: body, flag: "UAEX", details: details), provenance: settings.provenance,
            headers: headers)
    }

    private func take(_ changes: ExternalAuthorizer.Changes, _ settings: ExternalAuthorization) {
        for change in changes.requestHeaders { apply(toRequest: change) }
        for name in changes.removedHeaders { head.headers.drop(name) }
        let steps =
            changes.queryParameters.map {
                HeaderMutationFilter.QueryStep.append(name: $0.name, value: $0.value, action: .overwriteIfExistsOrAdd)
            } + changes.removedParameters.map { .remove($0) }
        if !steps.isEmpty { head.target = QueryEditor.apply(steps, to: head.target) { $0 } }
        if !changes.responseHeaders.isEmpty { keptState().responseChanges += changes.responseHeaders }
        if settings.clearsRouteCache, changes.touchesRequest { chooseRouteAnew() }
    }

    /// One change, of a pseudo header too.
    func apply(toRequest change: HeaderChange) {
        switch change.name {
        case ":path": head.target = change.value
        case ":authority", "host": head.host = change.value
        case ":method": head.method = HTTPMethod(name: change.value)
        case let name where name.hasPrefix(":"): break
        default: head.headers.apply(change)
        }
    }
}

/// What is asked about one exchange.
struct PermissionQuestion {
    let authorizer: ExternalAuthorizer
    /// The filter's, with what the route changes.
    let settings: ExternalAuthorization
    let route: ExternalAuthorization.CheckSettings?
}

extension ExternalAuthorizer.Verdict {
    init(_ answer: Envoy_Service_Auth_V3_CheckResponse) {
        let metadata = answer.dynamicMetadata.fields.mapValues { DynamicValue($0) }
        if answer.status.code == 0 {
            var changes = ExternalAuthorizer.Changes()
            let ok = answer.okResponse
            changes.requestHeaders = ok.headers.map { HeaderChange($0, joins: true) }
            changes.removedHeaders = ok.headersToRemove
            changes.responseHeaders = HeaderChange.addingFirst(
                ok.responseHeadersToAdd.map { HeaderChange($0, joins: false) })
            changes.queryParameters = ok.queryParametersToSet.map { ($0.key, $0.value) }
            changes.removedParameters = ok.queryParametersToRemove
            changes.metadata = metadata
            self = .allow(changes)
        } else if case .errorResponse(let error)? = answer.httpResponse {
            self = .failure(ExternalAuthorizer.Refusal(error, metadata, fallback: nil))
        } else {
            self = .deny(ExternalAuthorizer.Refusal(answer.deniedResponse, metadata, fallback: 403))
        }
    }
}

extension ExternalAuthorizer.Refusal {
    fileprivate init(
        _ wire: Envoy_Service_Auth_V3_DeniedHttpResponse, _ metadata: [String: DynamicValue], fallback: UInt16?
    ) {
        let code = wire.status.code.rawValue
        self.init(status: (200..<600).contains(code) ? UInt16(code) : fallback)
        headers = HeaderChange.addingFirst(wire.headers.map { HeaderChange($0, joins: false) })
        body = wire.body
        self.metadata = metadata
    }
}

extension HeaderChange {
    /// As Envoy: what replaces a header replaces what was added to it.
    static func addingFirst(_ changes: [HeaderChange]) -> [HeaderChange] {
        changes.filter { $0.action != .set } + changes.filter { $0.action == .set }
    }

    /// - Parameter joins: Whether appending means a comma after the value that is there, or one more field.
    init(_ wire: Envoy_Config_Core_V3_HeaderValueOption, joins: Bool) {
        let value =
            wire.header.value.isEmpty ? String(decoding: wire.header.rawValue, as: UTF8.self) : wire.header.value
        let action: Action
        if wire.hasAppend {
            action = wire.append.value ? (joins ? .appendToExisting : .add) : .set
        } else if joins {
            // As Envoy: requests know only `append`, and its absence replaces.
            action = .set
        } else {
            action =
                switch wire.appendAction {
                case .addIfAbsent: .addIfAbsent
                case .overwriteIfExistsOrAdd: .set
                case .overwriteIfExists: .setIfPresent
                case .appendIfExistsOrAdd, .UNRECOGNIZED: .add
                }
        }
        self.init(wire.header.key, value, action)
    }
}
