package import Synchronization
package import WeftIR

/// Counts of one processing filter, for statistics. Thread-safe.
package final class ProcessingCounts: Sendable {
    package let streamsStarted = Atomic<Int>(0)
    package let messagesSent = Atomic<Int>(0)
    package let messagesReceived = Atomic<Int>(0)
    package let spuriousMessages = Atomic<Int>(0)
    package let messageTimeouts = Atomic<Int>(0)
    package let failureModeAllowed = Atomic<Int>(0)
    package let rejectedMutations = Atomic<Int>(0)
    init() {}
}

/// An external processing filter, compiled. Immutable but for its counts; does no I/O.
package struct ExternalProcessor: Sendable {
    package let settings: ExternalProcessing
    package let counts = ProcessingCounts()
    package let selection: CompiledHeaderSelection
    package let rules: CompiledMutationRules
    /// By name, those that the filter itself asks for.
    private let attributes: [String: CompiledExpression]
    /// What cannot be used, one sentence each.
    package let problems: [String]

    package init(_ settings: ExternalProcessing) {
        self.settings = settings
        selection = CompiledHeaderSelection(settings.headers)
        attributes = (settings.requestAttributes + settings.responseAttributes).reduce(into: [:]) {
            $0[$1] = CompiledExpression($1)
        }
        rules = CompiledMutationRules(settings.mutationRules)
        let broken = selection.isBroken ? ["a header pattern is not valid; no header is shown"] : []
        problems = (broken + rules.problems).map { "external processing: \($0)" }
    }

    /// The attribute of a name; those of routes are read when they are asked for.
    package func attribute(_ name: String) -> CompiledExpression { attributes[name] ?? CompiledExpression(name) }

    /// The same with what a route says.
    package func with(_ route: ExternalProcessing.Overrides) -> ExternalProcessing {
        var own = settings
        if let mode = route.mode { own.mode = mode }
        if let service = route.service { own.service = service }
        if let allows = route.failureModeAllows { own.failureModeAllows = allows }
        if let names = route.requestAttributes { own.requestAttributes = names }
        if let names = route.responseAttributes { own.responseAttributes = names }
        if let metadata = route.metadata { own.metadata = metadata }
        for field in route.initialMetadata {
            own.service.initialMetadata.removeAll { $0.name == field.name }
            own.service.initialMetadata.append(field)
        }
        return own
    }

    /// The mode that a service asks for, as far as it may; `nil` keeps what is.
    package func accepted(_ wanted: ExternalProcessing.Mode?, now: ExternalProcessing.Mode) -> ExternalProcessing.Mode?
    {
        guard settings.allowsModeOverride, var wanted else { return nil }
        // The request's headers have been shown already.
        wanted.requestHeaders = now.requestHeaders
        guard !settings.allowedOverrides.isEmpty else { return wanted }
        let isListed = settings.allowedOverrides.contains { mode in
            var mode = mode
            mode.requestHeaders = now.requestHeaders
            return mode == wanted
        }
        return isListed ? wanted : nil
    }
}
