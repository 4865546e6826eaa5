import ArgumentParser
import Foundation
import WeftAnalysis
import WeftConfig
import WeftCore
import WeftKubernetes

/// `analyze`: findings about the configuration of a cluster and of files.
struct AnalyzeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "analyze", abstract: "Find mistakes in the mesh configuration of the cluster and of files.",
        discussion: """
            Files are analyzed as if they had been applied. Exit status 79: there are findings at or above the threshold.
            Examples:
              weft analyze -n dev
              weft analyze my-virtual-service.yaml --use-kube=false
            """)

    /// The severities, in the words of the command line.
    enum Level: String, ExpressibleByArgument, CaseIterable {
        case info = "Info"
        case warning = "Warning"
        case error = "Error"

        init?(argument: String) { self.init(rawValue: argument.capitalized) }

        var severity: Diagnostic.Severity {
            switch self {
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        }
    }

    @Argument(help: "Manifests or folders of manifests; '-' is standard input.")
    var files: [String] = []
    @Option(name: [.customShort("f"), .customLong("filename")], help: "The same as an argument; may be repeated.")
    var filenames: [String] = []
    @OptionGroup var global: GlobalOptions
    @Flag(name: [.customShort("A"), .customLong("all-namespaces")], help: "Every namespace.")
    var allNamespaces = false
    @Option(name: [.short, .long], help: "Output: log, json or yaml.")
    var output = OutputFormat.log
    @Option(help: "Severity that makes the command fail: Info, Warning or Error.")
    var failureThreshold = Level.error
    @Option(help: "Lowest severity to show: Info, Warning or Error.")
    var outputThreshold = Level.info
    @Option(
        name: [.customShort("k"), .customLong("use-kube")], help: "Also read the objects of the cluster: true or false."
    )
    var useKube = true

    func run() async throws {
        let manifests = try ManifestFiles.manifests(at: files + filenames)
        guard useKube || !manifests.isEmpty else {
            throw ValidationError("--use-kube=false leaves nothing to analyze; name files, for example with -f FILE.")
        }
        var objects: [KubernetesObject] = []
        var namespace = global.namespace ?? "default"
        if useKube {
            (objects, namespace) = try await global.withClient { client in
                (try await ClusterObjects.all(client), global.chosenNamespace(client))
            }
        }
        let added = manifests.map { Self.placed($0.object, in: namespace) }
        let replaced = Set(added.map(\.reference))
        let sources = Dictionary(zip(added.map(\.reference), manifests.map(\.source))) { $1 }
        objects = objects.filter { !replaced.contains($0.reference) } + added
        let wanted: Set<String>? = allNamespaces || (!useKube && global.namespace == nil) ? nil : [namespace]
        let findings = Analysis.run(AnalysisContext(objects: objects, namespaces: wanted))
            .filter { $0.severity >= outputThreshold.severity }.map { Self.located($0, in: sources) }
        show(findings, place: wanted == nil ? nil : namespace)
        if findings.contains(where: { $0.severity >= failureThreshold.severity }) { throw ExitCode(79) }
    }

    /// Objects without a namespace go where `kubectl apply` would put them.
    private static func placed(_ object: KubernetesObject, in namespace: String) -> KubernetesObject {
        let clusterScoped = [
            "Namespace", "CustomResourceDefinition", "GatewayClass", "ClusterRole", "ClusterRoleBinding",
            "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
        ]
        guard object.namespace.isEmpty, !clusterScoped.contains(object.kind) else { return object }
        var object = object
        object.json[path: "metadata", "namespace"] = .string(namespace)
        return object
    }

    /// Where in the user's own files it stands.
    private static func located(_ finding: Diagnostic, in sources: [ResourceReference: SourceMap]) -> Diagnostic {
        var finding = finding
        finding.location = finding.resource.flatMap { sources[$0] }?.location(of: finding.path ?? "")
        return finding
    }

    private func show(_ findings: [Diagnostic], place: String?) {
        print(
            output.text(.array(findings.map(AnalysisReport.json)))
                ?? AnalysisReport.text(findings, namespace: place))
    }
}

/// Findings as istioctl prints them. Pure.
enum AnalysisReport {
    static func text(_ findings: [Diagnostic], namespace: String?) -> String {
        guard !findings.isEmpty else {
            let place = namespace.map { "namespace: \($0)." } ?? "all namespaces."
            return "✔ No validation issues found when analyzing \(place)"
        }
        return findings.map(line).joined(separator: "\n")
    }

    /// `Error [IST0101] (VirtualService dev/backend) message`.
    static func line(_ finding: Diagnostic) -> String {
        var origin = finding.resource.map { " (\($0))" } ?? ""
        if let location = finding.location, let file = location.file, finding.resource != nil {
            origin = " (\(finding.resource?.description ?? "") \(file):\(location.line))"
        }
        let hint = finding.hint.map { " \($0)" } ?? ""
        return "\(finding.severity.rawValue) [\(finding.code)]\(origin) \(finding.message)\(hint)"
    }

    static func json(_ finding: Diagnostic) -> JSONValue {
        var entry: JSONValue = [
            "code": .string(finding.code), "level": .string(finding.severity.rawValue),
            "message": .string(finding.message),
        ]
        if let resource = finding.resource { entry["origin"] = .string(resource.description) }
        if let path = finding.path { entry["path"] = .string(path) }
        if let hint = finding.hint { entry["hint"] = .string(hint) }
        if let location = finding.location {
            entry["reference"] = .string("\(location.file ?? ""):\(location.line)")
        }
        return entry
    }
}
