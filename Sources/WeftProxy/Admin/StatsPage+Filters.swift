import Synchronization
import WeftIR
import WeftRouting

/// Counters of the filters that ask services, by Envoy's names.
extension StatsPage {
    static func serviceCounts(_ manager: CompiledManager) -> [(String, Int)] {
        let prefix = "http.\(manager.manager.statPrefix)."
        return manager.filters.flatMap { filter -> [(String, Int)] in
            switch filter {
            case .externalAuthorization(let authorizer, _): authorization(authorizer, prefix)
            case .globalRateLimit(let limiter, _): quota(limiter, prefix)
            case .externalProcessing(let processor, _): processing(processor, prefix)
            default: []
            }
        }
    }

    private static func named(_ filter: String, _ own: String) -> String { own.isEmpty ? filter : "\(filter).\(own)" }

    private static func authorization(_ authorizer: ExternalAuthorizer, _ prefix: String) -> [(String, Int)] {
        let (counts, name) = (authorizer.counts, prefix + named("ext_authz", authorizer.settings.statPrefix))
        return [
            ("\(name).ok", counts.ok.load(ordering: .relaxed)),
            ("\(name).denied", counts.denied.load(ordering: .relaxed)),
            ("\(name).error", counts.error.load(ordering: .relaxed)),
            ("\(name).disabled", counts.disabled.load(ordering: .relaxed)),
            ("\(name).failure_mode_allowed", counts.failureModeAllowed.load(ordering: .relaxed)),
        ]
    }

    private static func quota(_ limiter: GlobalRateLimiter, _ prefix: String) -> [(String, Int)] {
        let (counts, name) = (limiter.counts, prefix + named("ratelimit", limiter.settings.statPrefix))
        return [
            ("\(name).ok", counts.ok.load(ordering: .relaxed)),
            ("\(name).over_limit", counts.overLimit.load(ordering: .relaxed)),
            ("\(name).error", counts.error.load(ordering: .relaxed)),
            ("\(name).failure_mode_allowed", counts.failureModeAllowed.load(ordering: .relaxed)),
        ]
    }

    private static func processing(_ processor: ExternalProcessor, _ prefix: String) -> [(String, Int)] {
        let (counts, name) = (processor.counts, prefix + named("ext_proc", processor.settings.statPrefix))
        return [
            ("\(name).streams_started", counts.streamsStarted.load(ordering: .relaxed)),
            ("\(name).stream_msgs_sent", counts.messagesSent.load(ordering: .relaxed)),
            ("\(name).stream_msgs_received", counts.messagesReceived.load(ordering: .relaxed)),
            ("\(name).spurious_msgs_received", counts.spuriousMessages.load(ordering: .relaxed)),
            ("\(name).message_timeouts", counts.messageTimeouts.load(ordering: .relaxed)),
            ("\(name).failure_mode_allowed", counts.failureModeAllowed.load(ordering: .relaxed)),
            ("\(name).rejected_header_mutations", counts.rejectedMutations.load(ordering: .relaxed)),
        ]
    }
}
