import WeftConfig
import WeftCore

/// One destination of a VirtualService, and where it is written.
struct RouteDestination {
    var host: String
    var subset: String?
    var port: Int?
    var path: String
}

extension KubernetesObject {
    /// All destinations of a VirtualService: routes and mirrors, HTTP, TCP and TLS.
    var destinations: [RouteDestination] {
        var result: [RouteDestination] = []
        func add(_ value: JSONValue?, _ path: String) {
            guard let host = value?["host"]?.stringValue else { return }
            result.append(
                RouteDestination(
                    host: host, subset: value?["subset"]?.stringValue,
                    port: value?[path: "port", "number"]?.intValue, path: path))
        }
        for kind in ["http", "tls", "tcp"] {
            for (index, rule) in array("spec", kind).enumerated() {
                for (number, route) in (rule["route"]?.arrayValue ?? []).enumerated() {
                    add(route["destination"], "spec.\(kind)[\(index)].route[\(number)].destination")
                }
                add(rule["mirror"], "spec.\(kind)[\(index)].mirror")
                for (number, mirror) in (rule["mirrors"]?.arrayValue ?? []).enumerated() {
                    add(mirror["destination"], "spec.\(kind)[\(index)].mirrors[\(number)].destination")
                }
            }
        }
        return result
    }
}
