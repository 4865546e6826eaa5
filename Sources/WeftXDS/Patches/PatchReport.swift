package import WeftCore
package import WeftIR

/// What became of a configuration's patches.
package struct PatchReport: Sendable, Hashable {
    /// Patches that changed something.
    package var matched: Set<Provenance> = []
    /// Patches for which there was nothing.
    package var unmatched: Set<Provenance> = []
    /// Changes that could not be made, or that have no effect.
    package var diagnostics: [Diagnostic] = []

    package init() {}

    /// One warning for each patch that met nothing in any of the reports, which are those of all proxies.
    package static func unmatched(in reports: some Sequence<PatchReport>) -> [Diagnostic] {
        var met: Set<Provenance> = []
        var missed: Set<Provenance> = []
        for report in reports {
            met.formUnion(report.matched)
            missed.formUnion(report.unmatched)
        }
        return missed.subtracting(met).map { provenance in
            Diagnostic(
                .warning, code: "IST0133", resource: provenance.resource,
                path: "spec.configPatches[\(provenance.rule ?? 0)]",
                message: "the patch matches nothing in any connected proxy",
                hint: "compare its match with the names in `weft proxy-config listener|route|cluster POD -o json`")
        }.sorted { ($0.resource?.name ?? "", $0.path ?? "") < ($1.resource?.name ?? "", $1.path ?? "") }
    }
}
