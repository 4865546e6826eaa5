import WeftConfig
import WeftIR

/// Header changes, faults and CORS of a route.
enum RouteFeatures {
    static let faultFilter = "envoy.filters.http.fault"
    static let corsFilter = "envoy.filters.http.cors"

    /// `host` receives a new authority if the changes set or add `Host`; what is set comes first. Other pseudo headers
    /// cannot be changed, nor can the authority be removed.
    static func mutations(_ changes: VirtualService.HeaderOperations.Changes?, host: inout String?) -> HeaderMutations {
        func sorted(_ changes: [String: String]?) -> [(key: String, value: String)] {
            (changes ?? [:]).map { ($0.key.lowercased(), $0.value) }.sorted { $0.key < $1.key }
        }
        var result = HeaderMutations()
        let (set, add) = (sorted(changes?.set), sorted(changes?.add))
        host = (set + add).first { isAuthority($0.key) }?.value ?? host
        for (name, value) in set where !isInternal(name) {
            result.append.append(.init(name: name, value: value, action: .overwriteIfExistsOrAdd))
        }
        for (name, value) in add where !isInternal(name) {
            result.append.append(.init(name: name, value: value, action: .appendIfExistsOrAdd))
        }
        result.remove = (changes?.remove ?? []).map { $0.lowercased() }.filter { !isInternal($0) }
        return result
    }

    static func mutations(_ changes: VirtualService.HeaderOperations.Changes?) -> HeaderMutations {
        var ignored: String?
        return mutations(changes, host: &ignored)
    }

    static func fault(_ injection: VirtualService.FaultInjection, provenance: Provenance) -> Fault {
        var fault = Fault()
        fault.provenance = provenance
        if let delay = injection.delay, let length = delay.fixedDelay {
            fault.delayMilliseconds = length.milliseconds
            fault.delayPercentage = percent(delay.percentage, old: delay.percent)
        }
        if let abort = injection.abort {
            fault.abortPercentage = percent(abort.percentage, old: nil)
            if let status = abort.httpStatus {
                fault.abort = .http(status: UInt16(clamping: status))
            } else if let name = abort.grpcStatus {
                fault.abort = .grpc(status: grpcStatus(name))
            }
        }
        return fault
    }

    static func cors(_ policy: VirtualService.CorsPolicy) -> CORSPolicy {
        var cors = CORSPolicy()
        cors.allowOrigins =
            (policy.allowOrigins ?? []).compactMap(RouteMatches.string)
            + (policy.allowOrigin ?? []).map { StringMatcher($0 == "*" ? .regex(".*") : .exact($0)) }
        cors.allowMethods = (policy.allowMethods ?? []).joined(separator: ",")
        cors.allowHeaders = (policy.allowHeaders ?? []).joined(separator: ",")
        cors.exposeHeaders = (policy.exposeHeaders ?? []).joined(separator: ",")
        cors.maxAge = policy.maxAge.map { String($0.milliseconds / 1000) } ?? ""
        cors.allowCredentials = policy.allowCredentials
        switch policy.unmatchedPreflights {
        case .forward: cors.forwardNotMatchingPreflights = true
        case .ignore: cors.forwardNotMatchingPreflights = false
        case .unspecified, nil: break
        }
        return cors
    }

    private static func isAuthority(_ name: String) -> Bool { ["host", ":authority"].contains(name) }
    private static func isInternal(_ name: String) -> Bool { name == "host" || name.hasPrefix(":") }

    /// Without a percentage a fault hits no request.
    private static func percent(_ percentage: Percent?, old: Int?) -> FractionalPercent {
        FractionalPercent(percent: percentage.map { $0.value ?? 0 } ?? Double(old ?? 0))
    }

    private static func grpcStatus(_ name: String) -> UInt32 {
        let names = [
            "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL",
            "UNAVAILABLE", "DATA_LOSS",
            "UNAUTHENTICATED",
        ]
        return names.firstIndex(of: name.uppercased()).map(UInt32.init) ?? UInt32(name) ?? 2
    }
}
