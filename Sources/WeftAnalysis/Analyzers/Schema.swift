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
            let checked = Admission.validate(object).map(\.asSchemaFinding)
            return unknown + checked
        }
    }
}
