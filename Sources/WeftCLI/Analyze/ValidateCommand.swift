import ArgumentParser
import WeftAnalysis
import WeftConfig
import WeftCore

/// `validate`: checks manifests without a cluster, as the admission webhook would.
struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Check mesh manifests without a cluster.",
        discussion: """
            Example:
              weft validate -f virtual-service.yaml
            """, aliases: ["v"])

    @Option(name: [.customShort("f"), .customLong("filename")], help: "Manifest, folder or '-'.")
    var files: [String]
    @OptionGroup var global: GlobalOptions

    func run() throws {
        let read = try ManifestFiles.readable(at: files)
        for error in read.errors {
            print("\(error.location.file ?? ""):\(error.location.line): Error (YAML) \(error.message)")
        }
        var failed = !read.errors.isEmpty
        for manifest in read.objects {
            let object = manifest.object
            for finding in Admission.validate(object) {
                failed = failed || finding.severity == .error
                let location = finding.path.flatMap { manifest.source.location(of: $0) }
                let place = location.map { "\($0.file ?? ""):\($0.line): " } ?? ""
                let path = finding.path.map { "\($0): " } ?? ""
                let hint = finding.hint.map { " (\($0))" } ?? ""
                print("\(place)\(finding.severity.rawValue) (\(object.reference)) \(path)\(finding.message)\(hint)")
            }
            for field in Validator.unknownFields(in: object) {
                failed = true
                let location = manifest.source.location(of: field)
                let place = location.map { "\($0.file ?? ""):\($0.line): " } ?? ""
                print("\(place)Error (\(object.reference)) unknown field \"\(field)\"")
            }
        }
        if failed { throw CommandFailure("the manifests are not valid; correct the fields above.") }
        print("✔ The manifests are valid.")
    }
}
