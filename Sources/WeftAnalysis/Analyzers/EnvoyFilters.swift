import WeftConfig
package import WeftCore

/// IST0151 to IST0155: patches whose outcome depends on what other EnvoyFilters did before, and operations that their
/// target does not have.
package struct EnvoyFilterAnalyzer: Analyzer {
    package let name = "envoyfilter.EnvoyPatchAnalyzer"
    private static let relative: Set = ["INSERT_BEFORE", "INSERT_AFTER", "REPLACE", "REMOVE"]
    private static let replaceable: Set = ["HTTP_FILTER", "NETWORK_FILTER", "LISTENER_FILTER"]

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        // What is patched for proxies of one version only, by an object or an entry before.
        var bound: Set<String> = []
        return context.all("EnvoyFilter").flatMap { object in
            let hasPriority = (object.json[path: "spec", "priority"]?.intValue ?? 0) != 0
            return object.array("spec", "configPatches").enumerated().compactMap { index, entry in
                let patched = Self.patched(entry)
                defer {
                    let version = entry[path: "match", "proxy", "proxyVersion"]?.stringValue ?? ""
                    if !version.isEmpty { bound.insert(patched) }
                }
                let path = "spec.configPatches[\(index)]"
                if let wrong = Self.misused(entry, of: object, path) { return wrong }
                let operation = entry[path: "patch", "operation"]?.stringValue ?? ""
                guard !hasPriority, Self.relative.contains(operation) else { return nil }
                return Self.unordered(operation, isBound: bound.contains(patched), of: object, path)
            }
        }
    }

    /// What an entry is about: the name of what it puts there, else of the filter that it is put beside.
    private static func patched(_ entry: JSONValue) -> String {
        if let name = entry[path: "patch", "value", "name"]?.stringValue { return name }
        return entry[path: "match", "listener", "filterChain", "filter", "name"]?.stringValue ?? ""
    }

    private static func misused(_ entry: JSONValue, of object: KubernetesObject, _ path: String) -> Diagnostic? {
        let target = entry["applyTo"]?.stringValue ?? ""
        func wrong(_ code: String, _ operation: String, _ hint: String) -> Diagnostic {
            Diagnostic(
                .error, code: code, resource: object.reference, path: "\(path).patch.operation",
                message: "\(operation) does nothing to \(target): the patch is left out", hint: hint)
        }
        switch entry[path: "patch", "operation"]?.stringValue {
        case "REPLACE" where !replaceable.contains(target):
            return wrong("IST0152", "REPLACE", "Use MERGE; whole filters alone can be replaced.")
        case "ADD" where target == "ROUTE_CONFIGURATION":
            return wrong("IST0153", "ADD", "Add a VIRTUAL_HOST, or use MERGE.")
        case "REMOVE" where target == "ROUTE_CONFIGURATION":
            return wrong("IST0154", "REMOVE", "Remove a VIRTUAL_HOST or an HTTP_ROUTE.")
        default: return nil
        }
    }

    private static func unordered(
        _ operation: String, isBound: Bool, of object: KubernetesObject, _ path: String
    ) -> Diagnostic {
        let hint = "Set spec.priority, or use ADD or INSERT_FIRST."
        guard isBound else {
            return Diagnostic(
                .warning, code: "IST0151", resource: object.reference, path: "\(path).patch.operation",
                message: "\(operation) without a priority depends on which EnvoyFilter is applied first", hint: hint)
        }
        return Diagnostic(
            .warning, code: "IST0155", resource: object.reference, path: "\(path).patch.operation",
            message:
                "\(operation) without a priority meets a patch that is for one proxyVersion only: after an upgrade of "
                + "the proxies the outcome is another", hint: hint)
    }
}
