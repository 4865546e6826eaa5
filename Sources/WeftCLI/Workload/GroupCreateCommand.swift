import ArgumentParser
import WeftConfig
import WeftCore

/// `workload group create`: prints a WorkloadGroup.
struct GroupCreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Print a WorkloadGroup as YAML.",
        discussion: """
            Example:
              weft x workload group create --name vm --namespace dev --labels app=vm,env=prod --ports http=8080 \\
                --serviceAccount vm | kubectl apply -f -
            """)

    @Option(help: "Name of the group.")
    var name = ""
    @Option(name: [.customShort("n"), .long], help: "Namespace that the machines belong to.")
    var namespace = ""
    @Option(name: [.short, .long], help: "Labels of the machines: KEY=VALUE,…")
    var labels: [String] = []
    @Option(name: [.short, .long], help: "Annotations of the machines: KEY=VALUE,…")
    var annotations: [String] = []
    @Option(name: [.short, .long], help: "Ports that the machines serve: NAME=NUMBER,…")
    var ports: [String] = []
    @Option(
        name: [.customShort("s"), .customLong("serviceAccount")], help: "Service account that the machines run as.")
    var serviceAccount = "default"

    func validate() throws {
        guard !name.isEmpty else { throw ValidationError("name the group: --name NAME") }
        guard !namespace.isEmpty else {
            throw ValidationError("name the namespace of the machines: --namespace NAMESPACE")
        }
        _ = try group()
    }

    func run() throws { print(YAMLWriter.text(try group().json), terminator: "") }

    func group() throws -> KubernetesObject {
        var metadata: JSONValue = [:]
        for (key, list) in [("annotations", annotations), ("labels", labels)] {
            let pairs = try Self.pairs(list, flag: "--\(key)")
            if !pairs.isEmpty { metadata[key] = .object(pairs.mapValues { .string($0) }) }
        }
        var template: JSONValue = ["serviceAccount": .string(serviceAccount)]
        let numbers = try Self.pairs(ports, flag: "--ports").mapValues { text in
            guard let port = UInt16(text), port > 0 else {
                throw ValidationError("--ports: '\(text)' is no port; write NAME=NUMBER, for example http=8080")
            }
            return JSONValue.int(Int64(port))
        }
        if !numbers.isEmpty { template["ports"] = .object(numbers) }
        return KubernetesObject([
            "apiVersion": "networking.istio.io/v1", "kind": .string(WorkloadGroup.kind),
            "metadata": ["name": .string(name), "namespace": .string(namespace)],
            "spec": ["metadata": metadata, "template": template],
        ])
    }

    private static func pairs(_ list: [String], flag: String) throws -> [String: String] {
        var result: [String: String] = [:]
        for item in list.flatMap({ $0.split(separator: ",") }) {
            guard let mark = item.firstIndex(of: "="), mark != item.startIndex else {
                throw ValidationError("\(flag): '\(item)' is no pair; write KEY=VALUE")
            }
            result[String(item[..<mark])] = String(item[item.index(after: mark)...])
        }
        return result
    }
}
