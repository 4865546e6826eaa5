import WeftConfig
package import WeftCore

/// IST0106 and IST0133: what the admission webhook would refuse or warn about, and fields that the API does not have.
package struct SchemaAnalyzer: Analyzer {
    package let name = "schema.ValidationAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.objects.flatMap { object -> [Diagnostic] in
            let unknown = Validator.unknownFields(in: object).map {
                Diagnostic(
                    .error, code: "IST0106", resource: object.reference, path: $0,
                    message: "Schema validation error: unknown field \"\($0)\"",
                    hint: "Correct its spelling and its indentation, or delete it.")
            }
            let checked = Validator.validate(object: object).map { finding in
                var finding = finding
                let what = finding.severity == .error ? "Schema validation error" : "Schema validation warning"
                finding.message = ([what] + [finding.path].compactMap { $0 } + [finding.message]).joined(
                    separator: ": ")
                return finding
            }
            return unknown + checked
        }
    }
}
