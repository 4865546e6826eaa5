import WeftCore

/// Checks of EnvoyFilters beyond what the schema says. Whether a value can be decoded shows when it is applied.
enum EnvoyFilterChecks {
    static func check(_ spec: EnvoyFilter, _ findings: inout Findings) {
        findings.labels(spec.workloadSelector?.labels, "spec.workloadSelector.labels")
        if spec.workloadSelector != nil, !(spec.targetRefs ?? []).isEmpty {
            findings.error("spec", "only one of targetRefs or workloadSelector can be set")
        }
        for (index, patch) in (spec.configPatches ?? []).enumerated() {
            check(patch, "spec.configPatches[\(index)]", hasPriority: spec.priority != nil, &findings)
        }
    }

    private static func check(
        _ entry: EnvoyFilter.ConfigPatch, _ path: String, hasPriority: Bool, _ findings: inout Findings
    ) {
        let target = entry.applyTo ?? .invalid
        if target == .invalid { findings.error("\(path).applyTo", "missing applyTo") }
        if target == .bootstrap || target == .extensionConfig {
            check(supplement: entry, target, path, &findings)
        }
        guard let operation = entry.patch?.operation, operation != .invalid else {
            return findings.error("\(path).patch.operation", "missing patch operation")
        }
        if operation != .remove {
            if entry.patch?.value == nil {
                findings.error("\(path).patch.value", "missing patch value")
            } else if entry.patch?.value?.objectValue == nil {
                findings.error("\(path).patch.value", "the value is no object")
            }
        }
        let isWhole = [.listener, .cluster, .routeConfiguration, .virtualHost].contains(target)
        let isPlacing = [.insertBefore, .insertAfter, .insertFirst].contains(operation)
        if isPlacing, isWhole {
            findings.error("\(path).patch.operation", "\(operation.rawValue) cannot be used with \(target.rawValue)")
        }
        if operation == .replace, ![.httpFilter, .networkFilter, .listenerFilter].contains(target) {
            findings.error(
                "\(path).patch.operation", "replace operation is only valid for HTTP, network and listener filters")
        }
        if target == .routeConfiguration, operation == .add || operation == .remove {
            findings.error(
                "\(path).patch.operation", "\(operation.rawValue) has no effect on ROUTE_CONFIGURATION; use MERGE")
        }
        if entry.patch?.filterClass != nil, entry.patch?.filterClass != .unspecified, operation != .add {
            findings.warning("\(path).patch.filterClass", "filterClass is used with operation ADD only")
        }
        if isPlacing, !hasPriority {
            findings.warning(
                "\(path).patch.operation",
                "\(operation.rawValue) depends on what other EnvoyFilters have put there", hint: "set spec.priority")
        }
        check(entry.match, target, path, &findings)
        check(filter: entry, target, operation, path, &findings)
    }

    /// Patches on what is no resource of a proxy.
    private static func check(
        supplement entry: EnvoyFilter.ConfigPatch, _ target: EnvoyFilter.ApplyTo, _ path: String,
        _ findings: inout Findings
    ) {
        guard target == .extensionConfig else {
            return findings.warning(
                "\(path).applyTo", "applyTo BOOTSTRAP is left out: a proxy makes its bootstrap before it reads this",
                hint: "use a ProxyConfig, or the annotation proxy.istio.io/config")
        }
        if entry.patch?.operation != .add {
            findings.warning("\(path).patch.operation", "only ADD is used with EXTENSION_CONFIG; the patch is left out")
        } else if (entry.patch?.value?["name"]?.stringValue ?? "").isEmpty {
            findings.error("\(path).patch.value.name", "an extension has a name, by which filters refer to it")
        }
    }

    /// Filters that no proxy could make anything of.
    private static func check(
        filter entry: EnvoyFilter.ConfigPatch, _ target: EnvoyFilter.ApplyTo, _ operation: EnvoyFilter.Operation,
        _ path: String, _ findings: inout Findings
    ) {
        guard [.httpFilter, .networkFilter, .listenerFilter].contains(target),
            ![.merge, .mergeAndReplaceList, .remove].contains(operation), let value = entry.patch?.value?.objectValue
        else { return }
        if (value["name"]?.stringValue ?? "").isEmpty {
            findings.warning("\(path).patch.value.name", "the filter has no name")
        }
        let sources = ["typed_config", "typedConfig", "config_discovery", "configDiscovery"]
        if !sources.contains(where: { value[$0] != nil }) {
            findings.warning(
                "\(path).patch.value", "the filter has no typed_config: proxies find filters by its type, not by name")
        }
    }

    /// Each target has one kind of match.
    private static func check(
        _ match: EnvoyFilter.Match?, _ target: EnvoyFilter.ApplyTo, _ path: String, _ findings: inout Findings
    ) {
        guard let match else { return }
        let wanted: String? =
            switch target {
            case .listener, .filterChain, .networkFilter, .httpFilter, .listenerFilter: "listener"
            case .routeConfiguration, .virtualHost, .httpRoute: "routeConfiguration"
            case .cluster: "cluster"
            case .invalid, .extensionConfig, .bootstrap: nil
            }
        for (name, isThere) in [
            ("listener", match.listener != nil), ("routeConfiguration", match.routeConfiguration != nil),
            ("cluster", match.cluster != nil),
        ] where isThere && wanted != nil && name != wanted {
            findings.error(
                "\(path).match.\(name)", "applyTo \(target.rawValue) cannot have a \(name) match",
                hint: "use match.\(wanted ?? "")")
        }
        check(waypoint: match, "\(path).match", &findings)
        if let pattern = match.proxy?.proxyVersion, !pattern.isEmpty {
            findings.regex(pattern, "\(path).match.proxy.proxyVersion")
        }
        guard let filter = match.listener?.filterChain?.filter else { return }
        let place = "\(path).match.listener.filterChain.filter"
        if target == .listener || target == .filterChain {
            findings.error(place, "filter match can only be used with NETWORK_FILTER and HTTP_FILTER")
        } else if (filter.name ?? "").isEmpty {
            findings.error("\(place).name", "filter match has no name to match on")
        }
        guard let inner = filter.subFilter else { return }
        if target != .httpFilter {
            findings.error("\(place).subFilter", "subfilter match can be used with applyTo HTTP_FILTER only")
        } else if !managers.contains(filter.name ?? "") {
            findings.error(
                "\(place).name",
                "subfilter match requires filter match with envoy.filters.network.http_connection_manager")
        }
        if (inner.name ?? "").isEmpty {
            findings.error("\(place).subFilter.name", "subfilter match has no name to match on")
        }
    }

    private static func check(waypoint match: EnvoyFilter.Match, _ path: String, _ findings: inout Findings) {
        let others = match.listener != nil || match.routeConfiguration != nil || match.cluster != nil
        if match.context == .waypoint ? others : match.waypoint != nil {
            findings.error(
                path, "only support waypointMatch when context is WAYPOINT",
                hint: "match.waypoint and context WAYPOINT go together, and with no other match")
        }
        if let number = match.waypoint?["portNumber"]?.intValue, !(1...65_535).contains(number) {
            findings.error("\(path).waypoint.portNumber", "port must be between 1-65535, but is \(number)")
        }
    }

    /// Names of the filter that has HTTP filters inside.
    private static let managers: Set = [
        "envoy.filters.network.http_connection_manager", "envoy.http_connection_manager",
    ]
}
