import NIOCore
import SwiftProtobuf
import Synchronization
import WeftHTTP
import WeftIR
import WeftProto
import WeftRouting

/// Asks the rate limit service before the router (`envoy.service.ratelimit.v3.RateLimitService`).
extension Exchange {
    private typealias Question = Envoy_Service_Ratelimit_V3_RateLimitRequest
    private typealias Answer = Envoy_Service_Ratelimit_V3_RateLimitResponse

    func askForQuota(_ limiter: GlobalRateLimiter, _ name: String) -> FilterStep {
        var own: (settings: GlobalRateLimit.PerRoute, rules: CompiledRateLimitRules)?
        switch routeFilter(name) {
        case .globalRateLimit(let settings, let rules)?: own = (settings, rules)
        case .disabled?: return .next
        default: break
        }
        guard concerns(limiter.settings), draw() < limiter.settings.enabled.partsPerMillion else { return .next }
        let descriptors = limiter.descriptors(own, resolveRoute()?.rateLimits, view: rateLimitView)
        guard !descriptors.isEmpty else { return .next }
        var question = Question()
        question.domain = limiter.domain(own?.settings)
        question.descriptors = descriptors.map(Self.wire)
        guard let bytes: [UInt8] = try? question.serializedBytes() else { return .next }
        ask(limiter, bytes)
        return .pause
    }

    private func concerns(_ settings: GlobalRateLimit) -> Bool {
        let isInternal = head.headers.string("x-envoy-internal") == "true"
        return switch settings.requestType {
        case .both: true
        case .internal: isInternal
        case .external: !isInternal
        }
    }

    private static func wire(
        _ descriptor: RateLimitDescriptor
    ) -> Envoy_Extensions_Common_Ratelimit_V3_RateLimitDescriptor {
        var wire = Envoy_Extensions_Common_Ratelimit_V3_RateLimitDescriptor()
        wire.entries = descriptor.entries.map { entry in
            var value = Envoy_Extensions_Common_Ratelimit_V3_RateLimitDescriptor.Entry()
            value.key = entry.key
            value.value = entry.value
            return value
        }
        if let hits = descriptor.hits {
            wire.hitsAddend = Google_Protobuf_UInt64Value(hits)
        }
        return wire
    }

    private func ask(_ limiter: GlobalRateLimiter, _ question: [UInt8]) {
        let target = limiter.settings.service
        let call = grpcCall(
            "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit", target, question,
            timeoutMilliseconds: limiter.settings.timeoutMilliseconds
        ) { [weak self] result in
            guard let self, !isFinished else { return }
            filterState?.cancelCall = nil
            switch GRPCAnswer.message(result, as: Answer.self) {
            case .success(let answer) where answer.overallCode == .ok: allow(limiter, answer)
            case .success(let answer) where answer.overallCode == .overLimit: limit(limiter, answer)
            case .success, .failure: quotaUnknown(limiter)
            }
        }
        if let call { keptState().cancelCall = { call.cancel() } }
    }

    private func allow(_ limiter: GlobalRateLimiter, _ answer: Answer) {
        limiter.counts.ok.wrappingAdd(1, ordering: .relaxed)
        take(answer, limiter)
        runFilters()
    }

    /// Headers for both directions, and metadata.
    private func take(_ answer: Answer, _ limiter: GlobalRateLimiter) {
        for field in answer.requestHeadersToAdd where HeaderBlock.isField(field.key, field.value) {
            head.headers.append(name: field.key.lowercased(), value: field.value)
        }
        var headers = HeaderBlock()
        if limiter.settings.addsRateLimitHeaders { headers = Self.statuses(answer).headers }
        for field in answer.responseHeadersToAdd where HeaderBlock.isField(field.key, field.value) {
            headers.append(name: field.key.lowercased(), value: field.value)
        }
        if !headers.isEmpty { keptState().limitHeaders = headers }
        if answer.hasDynamicMetadata {
            keptState().metadata["envoy.filters.http.ratelimit"] = DynamicValue(answer.dynamicMetadata)
        }
    }

    private static func statuses(_ answer: Answer) -> [QuotaStatus] {
        answer.statuses.filter(\.hasCurrentLimit).map { status in
            let window: UInt64? =
                switch status.currentLimit.unit {
                case .second: 1
                case .minute: 60
                case .hour: 3_600
                case .day: 86_400
                case .week: 604_800
                case .month: 2_592_000
                case .year: 31_536_000
                case .unknown, .UNRECOGNIZED: nil
                }
            return QuotaStatus(
                requestsPerUnit: status.currentLimit.requestsPerUnit, windowSeconds: window,
                name: status.currentLimit.name, remaining: status.limitRemaining,
                resetSeconds: UInt64(clamping: status.durationUntilReset.seconds))
        }
    }

    private func limit(_ limiter: GlobalRateLimiter, _ answer: Answer) {
        let settings = limiter.settings
        limiter.counts.overLimit.wrappingAdd(1, ordering: .relaxed)
        guard draw() < settings.enforced.partsPerMillion else {
            take(answer, limiter)
            if !settings.omitsRateLimitedHeader {
                var headers = filterState?.limitHeaders ?? HeaderBlock()
                headers.set("x-envoy-ratelimited", "true")
                keptState().limitHeaders = headers
            }
            return runFilters()
        }
        take(answer, limiter)
        if !settings.responseHeaders.isEmpty { keptState().rateLimitHeaders = settings.responseHeaders }
        var headers = HeaderBlock()
        if !settings.omitsRateLimitedHeader { headers.set("x-envoy-ratelimited", "true") }
        if original.isGRPC, settings.resourceExhausted { headers.set("grpc-status", "8") }
        reply(
            .service(
                status: limiter.status, body: String(decoding: answer.rawBody, as: UTF8.self), flag: "RL",
                details: "request_rate_limited"),
            provenance: settings.provenance ?? decision?.route.provenance, headers: headers)
    }

    /// The service could not be asked, or did not answer.
    private func quotaUnknown(_ limiter: GlobalRateLimiter) {
        limiter.counts.error.wrappingAdd(1, ordering: .relaxed)
        let settings = limiter.settings
        guard settings.failureModeDenies, draw() < settings.failureModeDenyShare.partsPerMillion else {
            limiter.counts.failureModeAllowed.wrappingAdd(1, ordering: .relaxed)
            return runFilters()
        }
        reply(
            .service(status: settings.statusOnError, body: "", flag: "RLSE", details: "rate_limiter_error"),
            provenance: settings.provenance)
    }

    // MARK: Calls

    /// A unary call with the metadata that is configured for its service.
    /// - Returns: `nil` when it was over at once.
    func grpcCall(
        _ method: String, _ target: GRPCServiceTarget, _ message: [UInt8], timeoutMilliseconds: UInt64,
        completion: @escaping (Result<ClusterCall.Answer, ClusterCallError>) -> Void
    ) -> ClusterCall? {
        var isOver = false
        var request = OwnRequest.grpc(
            method, to: target, timeoutMilliseconds: timeoutMilliseconds, metadata: metadata(for: target))
        OwnRequest.mark(&request, localIP: connection.connection.info.localIP)
        let call = ClusterCall.start(
            request, body: GRPCFrame.frame(message), cluster: target.cluster, on: worker,
            timeoutMilliseconds: timeoutMilliseconds, limit: GRPCAnswer.limit, isGRPC: true
        ) { result in
            isOver = true
            completion(result)
        }
        return isOver ? nil : call
    }

    func metadata(for target: GRPCServiceTarget) -> [(String, String)] {
        target.initialMetadata.compactMap { field in
            let value = Substitution.expand(field.value, self)
            return HeaderBlock.isField(field.name, value) ? (field.name, value) : nil
        }
    }
}

extension Google_Protobuf_UInt64Value {
    init(_ value: UInt64) {
        self.init()
        self.value = value
    }
}

extension DynamicValue {
    init(_ wire: Google_Protobuf_Struct) { self = .object(wire.fields.mapValues { DynamicValue($0) }) }

    init(_ wire: Google_Protobuf_Value) {
        switch wire.kind {
        case .nullValue, nil: self = .null
        case .stringValue(let text): self = .string(text)
        case .numberValue(let number): self = .number(number)
        case .boolValue(let flag): self = .bool(flag)
        case .structValue(let inner): self = DynamicValue(inner)
        case .listValue(let inner): self = .list(inner.values.map { DynamicValue($0) })
        }
    }

    var wire: Google_Protobuf_Value {
        var wire = Google_Protobuf_Value()
        switch self {
        case .null: wire.nullValue = .nullValue
        case .string(let text): wire.stringValue = text
        case .number(let number): wire.numberValue = number
        case .bool(let flag): wire.boolValue = flag
        case .list(let values): wire.listValue.values = values.map(\.wire)
        case .object(let members): wire.structValue.fields = members.mapValues(\.wire)
        }
        return wire
    }
}
