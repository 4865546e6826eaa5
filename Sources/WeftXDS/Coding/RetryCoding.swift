import SwiftProtobuf
import WeftIR
import WeftProto

private typealias PreviousHosts = Envoy_Extensions_Retry_Host_PreviousHosts_V3_PreviousHostsPredicate
private typealias OmitCanary = Envoy_Extensions_Retry_Host_OmitCanaryHosts_V3_OmitCanaryHostsPredicate
private typealias OmitMetadata = Envoy_Extensions_Retry_Host_OmitHostMetadata_V3_OmitHostMetadataConfig
private typealias PreviousPriorities = Envoy_Extensions_Retry_Priority_PreviousPriorities_V3_PreviousPrioritiesConfig

extension RetryPolicy {
    private static let previousHosts = "envoy.retry_host_predicates.previous_hosts"

    func wire() throws -> WireRoute.Retry {
        var wire = WireRoute.Retry()
        wire.retryOn = retryOn.joined(separator: ",")
        wire.retriableStatusCodes = retriableStatusCodes.map(UInt32.init)
        wire.retriableHeaders = retriableHeaders.map { $0.wire() }
        wire.numRetries = .init(numRetries)
        if let perTryTimeoutMilliseconds { wire.perTryTimeout = .init(milliseconds: perTryTimeoutMilliseconds) }
        if let perTryIdleTimeoutMilliseconds {
            wire.perTryIdleTimeout = .init(milliseconds: perTryIdleTimeoutMilliseconds)
        }
        wire.retryBackOff.baseInterval = .init(milliseconds: backOffBaseMilliseconds)
        if let backOffMaxMilliseconds { wire.retryBackOff.maxInterval = .init(milliseconds: backOffMaxMilliseconds) }
        wire.hostSelectionRetryMaxAttempts = hostSelectionRetryMaxAttempts
        try writePredicates(to: &wire)
        wire.retriableRequestHeaders = retriableRequestHeaders.map { $0.wire() }
        if let backOff = rateLimitedBackOff {
            wire.rateLimitedRetryBackOff.maxInterval = .init(milliseconds: backOff.maxMilliseconds)
            wire.rateLimitedRetryBackOff.resetHeaders = backOff.resetHeaders.map { header in
                var value = WireRoute.Retry.ResetHeader()
                value.name = header.name
                value.format = header.format == .seconds ? .seconds : .unixTimestamp
                return value
            }
        }
        return wire
    }

    /// The conditions of `retry_on`, without the spaces around them.
    private static func conditions(_ text: String) -> [String] {
        let space = UInt8(ascii: " ")
        return text.utf8.split(separator: UInt8(ascii: ",")).map { part in
            var part = part
            while part.first == space { part.removeFirst() }
            while part.last == space { part.removeLast() }
            return String(Substring(part))
        }
    }

    init(_ wire: WireRoute.Retry, _ reader: WireReader) throws {
        self.init(retryOn: Self.conditions(wire.retryOn))
        retriableStatusCodes = try wire.retriableStatusCodes.map { try reader.status($0) }
        retriableHeaders = try reader.map("retriable_headers", wire.retriableHeaders) { try HeaderMatcher($0, reader) }
        if wire.hasNumRetries { numRetries = wire.numRetries.value }
        if wire.hasPerTryTimeout { perTryTimeoutMilliseconds = wire.perTryTimeout.milliseconds }
        if wire.hasPerTryIdleTimeout { perTryIdleTimeoutMilliseconds = wire.perTryIdleTimeout.milliseconds }
        if wire.hasRetryBackOff {
            backOffBaseMilliseconds = wire.retryBackOff.baseInterval.milliseconds
            if wire.retryBackOff.hasMaxInterval { backOffMaxMilliseconds = wire.retryBackOff.maxInterval.milliseconds }
        }
        hostSelectionRetryMaxAttempts = max(1, wire.hostSelectionRetryMaxAttempts)
        for (index, predicate) in wire.retryHostPredicate.enumerated() {
            try reader.at("retry_host_predicate[\(index)]") { try readPredicate(predicate, reader) }
        }
        if wire.hasRetryPriority {
            try reader.at("retry_priority") { try readPriority(wire.retryPriority, reader) }
        }
        retriableRequestHeaders = try reader.map("retriable_request_headers", wire.retriableRequestHeaders) {
            try HeaderMatcher($0, reader)
        }
        guard wire.hasRateLimitedRetryBackOff else { return }
        var backOff = RateLimitedBackOff(
            resetHeaders: wire.rateLimitedRetryBackOff.resetHeaders.map {
                .init(name: $0.name.lowercased(), format: $0.format == .unixTimestamp ? .unixTimestamp : .seconds)
            })
        if wire.rateLimitedRetryBackOff.hasMaxInterval {
            backOff.maxMilliseconds = wire.rateLimitedRetryBackOff.maxInterval.milliseconds
        }
        rateLimitedBackOff = backOff
    }

    private func writePredicates(to wire: inout WireRoute.Retry) throws {
        func add(_ name: String, _ message: some Message) throws {
            var predicate = WireRoute.Retry.RetryHostPredicate()
            predicate.name = name
            predicate.typedConfig = try pack(message)
            wire.retryHostPredicate.append(predicate)
        }
        if avoidPreviousHosts { try add(Self.previousHosts, PreviousHosts()) }
        if omitsCanaryHosts { try add("envoy.retry_host_predicates.omit_canary_hosts", OmitCanary()) }
        if !omittedMetadata.isEmpty {
            var message = OmitMetadata()
            message.metadataMatch.balancing = omittedMetadata
            try add("envoy.retry_host_predicates.omit_host_metadata", message)
        }
        if let frequency = previousPrioritiesFrequency {
            var message = PreviousPriorities()
            message.updateFrequency = Int32(clamping: frequency)
            wire.retryPriority.name = "envoy.retry_priorities.previous_priorities"
            wire.retryPriority.typedConfig = try pack(message)
        }
    }

    private mutating func readPredicate(_ wire: WireRoute.Retry.RetryHostPredicate, _ reader: WireReader) throws {
        let any = wire.typedConfig
        if any.holds(PreviousHosts.self) || wire.name == Self.previousHosts {
            avoidPreviousHosts = true
        } else if any.holds(OmitCanary.self) {
            omitsCanaryHosts = true
        } else if any.holds(OmitMetadata.self) {
            omittedMetadata = try reader.unpack(any, as: OmitMetadata.self).metadataMatch.balancing
        } else {
            throw reader.error("retry host predicate \(wire.name) is not supported")
        }
    }

    private mutating func readPriority(_ wire: WireRoute.Retry.RetryPriority, _ reader: WireReader) throws {
        guard wire.typedConfig.holds(PreviousPriorities.self) else {
            throw reader.error("retry priority \(wire.name) is not supported")
        }
        let frequency = try reader.unpack(wire.typedConfig, as: PreviousPriorities.self).updateFrequency
        guard frequency > 0 else { throw reader.error("update_frequency must be at least 1") }
        previousPrioritiesFrequency = UInt32(frequency)
    }
}
