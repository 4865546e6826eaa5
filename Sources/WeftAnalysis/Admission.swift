package import WeftConfig
package import WeftCore
import WeftIR
import WeftXDS

/// What admission says of an object, at the webhook and before it (`weft validate`, `weft analyze`): the checks of its
/// kind, and for EnvoyFilters what reading their patches with the proxies' own decoders shows.
package enum Admission {
    /// Errors refuse an object; warnings are shown and the object is taken.
    package static func validate(_ object: KubernetesObject) -> [Diagnostic] {
        Validator.validate(object: object) + patches(of: object)
    }

    /// ``validate(_:)``, and a warning for each field that the kind does not have: the API server drops those.
    package static func review(_ object: KubernetesObject) -> [Diagnostic] {
        Validator.review(object) + patches(of: object)
    }

    /// What is wrong with the values of an EnvoyFilter's patches.
    private static func patches(of object: KubernetesObject) -> [Diagnostic] {
        guard object.kind == EnvoyFilter.kind, object.group == EnvoyFilter.group else { return [] }
        let entries = object.json[path: "spec", "configPatches"]?.arrayValue ?? []
        return entries.enumerated().flatMap { index, entry -> [Diagnostic] in
            guard let value = entry[path: "patch", "value"], value.objectValue != nil, let kind = kind(of: entry)
            else { return [] }
            let path = "spec.configPatches[\(index)].patch.value"
            func finding(_ severity: Diagnostic.Severity, _ problem: FieldProblem, _ hint: String) -> Diagnostic {
                let place =
                    problem.path.isEmpty || problem.path.hasPrefix("[")
                    ? path + problem.path : "\(path).\(problem.path)"
                return Diagnostic(
                    severity, code: severity == .error ? "IST0106" : "IST0133", resource: object.reference,
                    path: place, message: problem.reason, hint: hint)
            }
            let found = PatchValue.check(value, as: kind)
            let name = entry["applyTo"]?.stringValue ?? ""
            return found.errors.map { finding(.error, $0, "the value is read as the message of \(name), in JSON form") }
                + found.warnings.map {
                    finding(.warning, $0, "docs/xds-fields.md lists the fields and extensions that proxies obey")
                }
        }
    }

    /// What the value of a patch is to be; `nil` where there is nothing to read it as.
    private static func kind(of entry: JSONValue) -> PatchValue.Kind? {
        let operation = entry[path: "patch", "operation"]?.stringValue.flatMap(EnvoyFilter.Operation.init)
        guard let operation, operation != .invalid, operation != .remove,
            let target = entry["applyTo"]?.stringValue.flatMap(EnvoyFilter.ApplyTo.init)
        else { return nil }
        let isPart = operation == .merge || operation == .mergeAndReplaceList
        func value(_ target: ResourcePatch.Target) -> PatchValue.Kind { isPart ? .part(target) : .whole(target) }
        switch target {
        case .listener: return value(.listener)
        case .filterChain: return value(.filterChain)
        case .networkFilter: return value(.networkFilter)
        case .httpFilter: return value(.httpFilter)
        case .listenerFilter: return value(.listenerFilter)
        case .routeConfiguration: return value(.routeConfiguration)
        case .virtualHost: return value(.virtualHost)
        case .httpRoute: return value(.httpRoute)
        case .cluster: return value(.cluster)
        case .extensionConfig: return .extensionConfig
        case .bootstrap: return .bootstrap
        case .invalid: return nil
        }
    }
}
