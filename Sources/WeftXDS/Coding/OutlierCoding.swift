import SwiftProtobuf
import WeftIR
import WeftProto

extension OutlierDetection {
    func wire() -> WireOutlier {
        var wire = WireOutlier()
        wire.consecutive5Xx = .init(consecutive5xx)
        wire.enforcingConsecutive5Xx = .init(enforcingConsecutive5xxPercent)
        wire.consecutiveGatewayFailure = .init(consecutiveGatewayFailure)
        wire.enforcingConsecutiveGatewayFailure = .init(enforcingConsecutiveGatewayFailurePercent)
        wire.consecutiveLocalOriginFailure = .init(consecutiveLocalOriginFailure)
        wire.enforcingConsecutiveLocalOriginFailure = .init(enforcingConsecutiveLocalOriginFailurePercent)
        wire.splitExternalLocalOriginErrors = splitExternalLocalOriginErrors
        wire.interval = .init(milliseconds: intervalMilliseconds)
        wire.baseEjectionTime = .init(milliseconds: baseEjectionMilliseconds)
        wire.maxEjectionTime = .init(milliseconds: maxEjectionMilliseconds)
        wire.maxEjectionPercent = .init(maxEjectionPercent)
        wire.enforcingSuccessRate = .init(enforcingSuccessRatePercent)
        writeShares(to: &wire)
        return wire
    }

    init(_ wire: WireOutlier, _ reader: WireReader) {
        self.init()
        readShares(wire)
        if wire.hasConsecutive5Xx { consecutive5xx = wire.consecutive5Xx.value }
        if wire.hasEnforcingConsecutive5Xx { enforcingConsecutive5xxPercent = wire.enforcingConsecutive5Xx.value }
        if wire.hasConsecutiveGatewayFailure { consecutiveGatewayFailure = wire.consecutiveGatewayFailure.value }
        if wire.hasEnforcingConsecutiveGatewayFailure {
            enforcingConsecutiveGatewayFailurePercent = wire.enforcingConsecutiveGatewayFailure.value
        }
        if wire.hasConsecutiveLocalOriginFailure {
            consecutiveLocalOriginFailure = wire.consecutiveLocalOriginFailure.value
        }
        if wire.hasEnforcingConsecutiveLocalOriginFailure {
            enforcingConsecutiveLocalOriginFailurePercent = wire.enforcingConsecutiveLocalOriginFailure.value
        }
        splitExternalLocalOriginErrors = wire.splitExternalLocalOriginErrors
        if wire.hasInterval { intervalMilliseconds = wire.interval.milliseconds }
        if wire.hasBaseEjectionTime { baseEjectionMilliseconds = wire.baseEjectionTime.milliseconds }
        // Envoy's default is 300 s, and never less than the base.
        maxEjectionMilliseconds =
            wire.hasMaxEjectionTime ? wire.maxEjectionTime.milliseconds : max(300_000, baseEjectionMilliseconds)
        if wire.hasMaxEjectionPercent { maxEjectionPercent = wire.maxEjectionPercent.value }
        if wire.hasEnforcingSuccessRate { enforcingSuccessRatePercent = wire.enforcingSuccessRate.value }
    }
}

/// Success rate and failure percentage.
extension OutlierDetection {
    fileprivate func writeShares(to wire: inout WireOutlier) {
        wire.enforcingLocalOriginSuccessRate = .init(enforcingLocalOriginSuccessRatePercent)
        wire.successRateMinimumHosts = .init(successRateMinimumHosts)
        wire.successRateRequestVolume = .init(successRateRequestVolume)
        wire.successRateStdevFactor = .init(successRateStandardDeviationFactor)
        wire.failurePercentageThreshold = .init(failurePercentageThreshold)
        wire.enforcingFailurePercentage = .init(enforcingFailurePercentage)
        wire.enforcingFailurePercentageLocalOrigin = .init(enforcingFailurePercentageLocalOrigin)
        wire.failurePercentageMinimumHosts = .init(failurePercentageMinimumHosts)
        wire.failurePercentageRequestVolume = .init(failurePercentageRequestVolume)
        wire.maxEjectionTimeJitter = .init(milliseconds: maxEjectionJitterMilliseconds)
        wire.alwaysEjectOneHost = .init(alwaysEjectsOneHost)
        wire.successfulActiveHealthCheckUnejectHost = .init(activeHealthCheckUnejects)
    }

    fileprivate mutating func readShares(_ wire: WireOutlier) {
        if wire.hasEnforcingLocalOriginSuccessRate {
            enforcingLocalOriginSuccessRatePercent = wire.enforcingLocalOriginSuccessRate.value
        }
        if wire.hasSuccessRateMinimumHosts { successRateMinimumHosts = wire.successRateMinimumHosts.value }
        if wire.hasSuccessRateRequestVolume { successRateRequestVolume = wire.successRateRequestVolume.value }
        if wire.hasSuccessRateStdevFactor { successRateStandardDeviationFactor = wire.successRateStdevFactor.value }
        if wire.hasFailurePercentageThreshold { failurePercentageThreshold = wire.failurePercentageThreshold.value }
        if wire.hasEnforcingFailurePercentage { enforcingFailurePercentage = wire.enforcingFailurePercentage.value }
        if wire.hasEnforcingFailurePercentageLocalOrigin {
            enforcingFailurePercentageLocalOrigin = wire.enforcingFailurePercentageLocalOrigin.value
        }
        if wire.hasFailurePercentageMinimumHosts {
            failurePercentageMinimumHosts = wire.failurePercentageMinimumHosts.value
        }
        if wire.hasFailurePercentageRequestVolume {
            failurePercentageRequestVolume = wire.failurePercentageRequestVolume.value
        }
        maxEjectionJitterMilliseconds = wire.maxEjectionTimeJitter.milliseconds
        alwaysEjectsOneHost = wire.alwaysEjectOneHost.value
        if wire.hasSuccessfulActiveHealthCheckUnejectHost {
            activeHealthCheckUnejects = wire.successfulActiveHealthCheckUnejectHost.value
        }
    }
}

/// Which answers count as errors.
extension ResponseCondition {
    func wire() -> WireMatchPredicate {
        var wire = WireMatchPredicate()
        switch self {
        case .any: wire.anyMatch = true
        case .and(let conditions): wire.andMatch.rules = conditions.map { $0.wire() }
        case .or(let conditions): wire.orMatch.rules = conditions.map { $0.wire() }
        case .not(let condition): wire.notMatch = condition.wire()
        case .headers(let matchers): wire.httpResponseHeadersMatch.headers = matchers.map { $0.wire() }
        }
        return wire
    }

    init(_ wire: WireMatchPredicate, _ reader: WireReader) throws {
        switch wire.rule {
        case .anyMatch(true): self = .any
        case .andMatch(let set): self = .and(try Self.rules(set, reader))
        case .orMatch(let set): self = .or(try Self.rules(set, reader))
        case .notMatch(let predicate): self = .not(try ResponseCondition(predicate, reader))
        case .httpResponseHeadersMatch(let match):
            self = .headers(try match.headers.map { try HeaderMatcher($0, reader) })
        case .anyMatch(false): throw reader.error("any_match must be true")
        case nil: throw reader.error("match predicate without a rule that is supported")
        }
    }

    private static func rules(_ set: WireMatchPredicate.MatchSet, _ reader: WireReader) throws -> [ResponseCondition] {
        guard set.rules.count >= 2 else { throw reader.error("and_match and or_match need two rules or more") }
        return try set.rules.map { try ResponseCondition($0, reader) }
    }
}
