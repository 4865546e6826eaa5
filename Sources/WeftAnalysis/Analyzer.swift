package import WeftCore

/// One check over a whole configuration. Pure; says what it found and never throws.
package protocol Analyzer: Sendable {
    /// Dotted, as `istioctl analyze` calls its own.
    var name: String { get }
    func analyze(_ context: AnalysisContext) -> [Diagnostic]
}

/// All analyzers, in the order in which they report.
package enum Analysis {
    package static let analyzers = configurationAnalyzers + clusterAnalyzers

    /// Those that speak of the mesh's own objects, whose status tells what was found.
    package static let configurationAnalyzers: [any Analyzer] = [
        SchemaAnalyzer(), ReferencedHostAnalyzer(), UnknownRuleHostAnalyzer(), SubsetAnalyzer(), SubsetPodsAnalyzer(),
        DestinationPortAnalyzer(), GatewayReferenceAnalyzer(), GatewaySelectorAnalyzer(), ConflictingHostsAnalyzer(),
        UnreachableRuleAnalyzer(), MutualTLSAnalyzer(), InjectionAnalyzer(), PortNameAnalyzer(), EnvoyFilterAnalyzer(),
        ConflictingSelectorAnalyzer(), UnmatchedSelectorAnalyzer(), WorkloadIdentityAnalyzer(),
        ConflictingGatewayAnalyzer(), GatewayPortAnalyzer(), ClaimRoutingAnalyzer(), ServicePortAnalyzer(),
        EntryAddressAnalyzer(), InternalGatewayAnalyzer(),
    ]

    /// Those that speak of what the mesh runs on: workloads, webhooks, Secrets.
    package static let clusterAnalyzers: [any Analyzer] = [
        AnnotationAnalyzer(), DeploymentProtocolAnalyzer(), AutomaticImageAnalyzer(), ProxyImageAnalyzer(),
        WebhookAnalyzer(), GatewayCredentialAnalyzer(), ConditionAnalyzer(), ServerVerificationAnalyzer(),
    ]

    /// Runs every analyzer; the worst findings come first, otherwise in the analyzers' order.
    package static func run(_ context: AnalysisContext, _ analyzers: [any Analyzer] = analyzers) -> [Diagnostic] {
        let findings = analyzers.flatMap { $0.analyze(context) }.filter { finding in
            guard let wanted = context.namespaces, let resource = finding.resource else { return true }
            return wanted.contains(resource.kind == "Namespace" ? resource.name : resource.namespace)
        }
        return findings.enumerated()
            .sorted { ($1.element.severity, $0.offset) < ($0.element.severity, $1.offset) }
            .map(\.element)
    }
}
