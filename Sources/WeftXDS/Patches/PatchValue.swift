package import WeftCore
package import WeftIR

/// Whether the value of a patch can be read as the message that it is put into, before there is anything to put it into.
/// Pure; what admission asks.
///
/// A value that is merged is a part of a message and is read field by field. One that is added is a whole, and is read
/// by the decoder of the proxies, too.
package enum PatchValue {
    /// What a value is to be.
    package enum Kind: Sendable, Hashable {
        case part(ResourcePatch.Target)
        case whole(ResourcePatch.Target)
        /// `applyTo: EXTENSION_CONFIG`.
        case extensionConfig
        /// `applyTo: BOOTSTRAP`.
        case bootstrap

        fileprivate var message: String {
            switch self {
            case .part(let target), .whole(let target): target.message
            case .extensionConfig: "envoy.config.core.v3.TypedExtensionConfig"
            case .bootstrap: "envoy.config.bootstrap.v3.Bootstrap"
            }
        }
    }
    /// Paths lead from the value, in the names that the user wrote.
    package struct Findings: Sendable, Hashable {
        /// For which the patch cannot be applied.
        package var errors: [FieldProblem] = []
        /// Of which nothing goes to a proxy.
        package var warnings: [FieldProblem] = []
    }

    package static func check(_ value: JSONValue, as kind: Kind) -> Findings {
        var encoder = JSONMessageEncoder(isLenient: true)
        _ = encoder.encode(value, as: kind.message, path: "")
        var findings = Findings(errors: encoder.problems + patterns(in: value, path: ""))
        findings.warnings = encoder.unknownFields.map {
            FieldProblem(path: $0.path, reason: "\($0.reason); it is left out")
        }
        // Translation puts what such a reference names in its place.
        let leftOut = encoder.leftOutFields.filter {
            !$0.path.hasSuffix("config_discovery") && !$0.path.hasSuffix("configDiscovery")
        }
        findings.warnings += leftOut.map {
            FieldProblem(path: $0.path, reason: "\($0.reason); it is left out")
        }
        findings.warnings += encoder.unknownTypes.map {
            FieldProblem(path: $0.path, reason: "\($0.reason); weft-proxy gets it without the patch, Envoy with it")
        }
        let mayBeRead = findings.errors.isEmpty && encoder.unknownTypes.isEmpty && !refersToOthers(value)
        if mayBeRead, case .whole(let target) = kind, let reason = refusal(of: value, target) {
            findings.errors.append(FieldProblem(path: "", reason: reason))
        }
        return findings
    }

    /// Patterns that do not compile, and values of headers that are no format strings: proxies refuse a resource for them.
    static func patterns(in value: JSONValue, path: String) -> [FieldProblem] {
        switch value {
        case .array(let elements):
            return elements.enumerated().flatMap { patterns(in: $1, path: "\(path)[\($0)]") }
        case .object(let members):
            return members.sorted { $0.key < $1.key }.flatMap { key, member -> [FieldProblem] in
                let place = JSONMessageEncoder.child(path, key)
                if key == "header", member["key"] != nil, let text = member["value"]?.stringValue {
                    do throws(FormatError) { _ = try FormatTemplate(text) } catch {
                        return [FieldProblem(path: "\(place).value", reason: "is no format string: \(error)")]
                    }
                }
                guard key == "regex", let pattern = member.stringValue else { return patterns(in: member, path: place) }
                do throws(RegexError) {
                    _ = try Regex(pattern)
                    return []
                } catch {
                    return [
                        FieldProblem(
                            path: place, reason: "error parsing regexp: \(error.message) at byte \(error.position)")
                    ]
                }
            }
        default: return []
        }
    }

    /// A filter whose configuration another patch brings.
    private static func refersToOthers(_ value: JSONValue) -> Bool {
        switch value {
        case .array(let elements): elements.contains(where: refersToOthers)
        case .object(let members):
            members["config_discovery"] != nil || members["configDiscovery"] != nil
                || members.values.contains(where: refersToOthers)
        default: false
        }
    }

    /// Why the proxies' decoder does not take a resource that has nothing but the value in it.
    private static func refusal(of value: JSONValue, _ target: ResourcePatch.Target) -> String? {
        let (document, type) = resource(around: value, target)
        var encoder = JSONMessageEncoder(isLenient: true)
        let bytes = encoder.encode(document, as: ResourcePatcher.messages[type] ?? "", path: "")
        do {
            _ = try XDSDecoder().decode(ResourcePatcher.any(bytes, type))
            return nil
        } catch let error as XDSDecodingError {
            return error.reason
        } catch {
            return "\(error)"
        }
    }

    private static let routerType = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    private static let router: JSONValue = ["name": "router", "typed_config": ["@type": .string(routerType)]]

    private static func isRouter(_ filter: JSONValue) -> Bool {
        (filter["typed_config"] ?? filter["typedConfig"])?["@type"]?.stringValue == routerType
    }

    private static func resource(around value: JSONValue, _ target: ResourcePatch.Target) -> (JSONValue, ResourceType) {
        let address: JSONValue = ["socket_address": ["address": "127.0.0.1", "port_value": 1]]
        func listener(_ members: [String: JSONValue]) -> (JSONValue, ResourceType) {
            (.object(["name": "x", "address": address].merging(members) { $1 }), .listener)
        }
        switch target {
        case .listener: return (value, .listener)
        case .cluster: return (value, .cluster)
        case .routeConfiguration: return (value, .route)
        case .listenerFilter: return listener(["listener_filters": [value]])
        case .filterChain: return listener(["filter_chains": [value]])
        case .networkFilter: return listener(["filter_chains": [["filters": [value]]]])
        case .httpFilter:
            let manager: JSONValue = [
                "@type": .string(ListenerPatching.managerType), "stat_prefix": "x", "route_config": ["name": "x"],
                "http_filters": .array(isRouter(value) ? [value] : [value, router]),
            ]
            return listener(["filter_chains": [["filters": [["name": "x", "typed_config": manager]]]]])
        case .virtualHost: return (["name": "x", "virtual_hosts": [value]], .route)
        case .httpRoute:
            return (["name": "x", "virtual_hosts": [["name": "x", "domains": ["*"], "routes": [value]]]], .route)
        }
    }
}
