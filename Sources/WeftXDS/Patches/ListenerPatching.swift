import WeftCore
import WeftIR

/// Patches on parts of a listener: its filters, its chains, and the filters of those.
enum ListenerPatching {
    static let managerType =
        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

    /// - Returns: how many places the patch changed.
    static func apply(_ patch: ResourcePatch, to listener: inout JSONValue) -> Int {
        guard DocumentMatch.listener(listener, patch, isWhole: false) else { return 0 }
        switch patch.target {
        case .listenerFilter:
            return ElementPatching(
                message: "envoy.config.listener.v3.ListenerFilter", name: patch.listener?.listenerFilter
            ).apply(patch, to: &listener, list: "listener_filters")
        case .filterChain: return chains(patch, &listener)
        default:
            let isInbound = listener["traffic_direction"]?.stringValue == "INBOUND"
            return eachChain(of: &listener, patch) { chain in parts(patch, &chain, isInbound: isInbound) }
        }
    }

    // MARK: - Chains

    private static func chains(_ patch: ResourcePatch, _ listener: inout JSONValue) -> Int {
        let isVirtual = DocumentMatch.isVirtual(listener)
        if patch.operation == .add {
            listener["filter_chains"] = .array((listener["filter_chains"]?.arrayValue ?? []) + [patch.value ?? .null])
            return 1
        }
        var changes = 0
        var kept: [JSONValue] = []
        for chain in listener["filter_chains"]?.arrayValue ?? [] {
            guard meets(chain, patch.listener, isVirtual: isVirtual) else {
                kept.append(chain)
                continue
            }
            changes += 1
            if patch.operation != .remove { kept.append(merged(patch, chain)) }
        }
        listener["filter_chains"] = .array(kept)
        if let last = listener["default_filter_chain"], meets(last, patch.listener, isVirtual: isVirtual) {
            changes += 1
            listener["default_filter_chain"] = patch.operation == .remove ? nil : merged(patch, last)
        }
        return [.merge, .mergeReplacingLists, .remove].contains(patch.operation) ? changes : 0
    }

    private static func merged(_ patch: ResourcePatch, _ chain: JSONValue) -> JSONValue {
        MessageMerge(replacesLists: patch.operation == .mergeReplacingLists).merge(
            patch.value ?? .object([:]), over: chain, as: "envoy.config.listener.v3.FilterChain")
    }

    private static func meets(_ chain: JSONValue, _ match: ResourcePatch.ListenerMatch?, isVirtual: Bool) -> Bool {
        guard let match else { return true }
        let own = chain["filter_chain_match"]
        let port = own?["destination_port"]?.intValue
        if isVirtual, let wanted = match.port, port != Int(wanted) { return false }
        if let name = match.chainName, !name.isEmpty, chain["name"]?.stringValue != name { return false }
        if let wanted = match.destinationPort, port != Int(wanted) { return false }
        if let name = match.serverName, !name.isEmpty, own?["server_names"]?.arrayValue?.contains(.string(name)) != true
        {
            return false
        }
        if let transport = match.transportProtocol, !transport.isEmpty,
            own?["transport_protocol"]?.stringValue != transport
        {
            return false
        }
        let protocols = own?["application_protocols"]?.arrayValue ?? []
        return match.applicationProtocols.allSatisfy { protocols.contains(.string($0)) }
    }

    private static func eachChain(
        of listener: inout JSONValue, _ patch: ResourcePatch, _ change: (inout JSONValue) -> Int
    ) -> Int {
        let isVirtual = DocumentMatch.isVirtual(listener)
        var changes = 0
        var chains = listener["filter_chains"]?.arrayValue ?? []
        for index in chains.indices where meets(chains[index], patch.listener, isVirtual: isVirtual) {
            changes += change(&chains[index])
        }
        if !chains.isEmpty { listener["filter_chains"] = .array(chains) }
        if var last = listener["default_filter_chain"], meets(last, patch.listener, isVirtual: isVirtual) {
            changes += change(&last)
            listener["default_filter_chain"] = last
        }
        return changes
    }

    // MARK: - Filters of a chain

    private static func parts(_ patch: ResourcePatch, _ chain: inout JSONValue, isInbound: Bool) -> Int {
        if patch.target == .networkFilter {
            return ElementPatching(message: "envoy.config.listener.v3.Filter", name: patch.listener?.filter).apply(
                patch, to: &chain, list: "filters")
        }
        var changes = 0
        var filters = chain["filters"]?.arrayValue ?? []
        for index in filters.indices {
            guard var manager = filters[index]["typed_config"], manager["@type"]?.stringValue == managerType else {
                continue
            }
            if patch.target == .httpFilter {
                let wanted = patch.listener?.filter
                if let wanted, !wanted.isEmpty, !ElementPatching.isNamed(filters[index], wanted) { continue }
                changes += httpFilters(patch, &manager)
            } else if var table = manager["route_config"] {
                changes += RoutePatching.apply(patch, to: &table, context: isInbound ? .inbound : nil)
                manager["route_config"] = table
            }
            filters[index]["typed_config"] = manager
        }
        if changes > 0 { chain["filters"] = .array(filters) }
        return changes
    }

    private static func httpFilters(_ patch: ResourcePatch, _ manager: inout JSONValue) -> Int {
        let elements = ElementPatching(
            message: "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter",
            name: patch.listener?.subFilter)
        guard patch.operation == .add else { return elements.apply(patch, to: &manager, list: "http_filters") }
        // The router ends the chain, so nothing goes behind it.
        var filters = manager["http_filters"]?.arrayValue ?? []
        let place = filters.firstIndex { filter in
            let name = filter["name"]?.stringValue ?? ""
            return switch patch.filterClass {
            case .authentication: name.contains("jwt_authn") || name.contains("rbac") || name.hasSuffix("router")
            case .authorization: name.contains("rbac") || name.hasSuffix("router")
            case .stats: name == "istio.stats" || name.hasSuffix("router")
            case nil: name.hasSuffix("router")
            }
        }
        filters.insert(patch.value ?? .null, at: place ?? filters.count)
        manager["http_filters"] = .array(filters)
        return 1
    }
}

/// Operations on a list of named elements, such as filters.
struct ElementPatching {
    /// The type of the elements.
    var message: String
    /// The element that the patch is about; `nil` or empty is every one.
    var name: String?

    static func isNamed(_ element: JSONValue, _ name: String) -> Bool { element["name"]?.stringValue == name }

    /// - Returns: how many elements were changed, put in or taken out.
    func apply(_ patch: ResourcePatch, to owner: inout JSONValue, list: String) -> Int {
        var elements = owner[list]?.arrayValue ?? []
        let changes = apply(patch, &elements) { wanted, element in
            wanted.map { $0.isEmpty || Self.isNamed(element, $0) } ?? true
        }
        if changes > 0 { owner[list] = .array(elements) }
        return changes
    }

    /// - Parameter isMeant: whether the match is about an element.
    func apply(_ patch: ResourcePatch, _ elements: inout [JSONValue], isMeant: (String?, JSONValue) -> Bool) -> Int {
        let value = patch.value ?? .object([:])
        let isAnyone = name?.isEmpty ?? true
        let found = elements.indices.filter { isMeant(name, elements[$0]) }
        switch patch.operation {
        case .add: elements.append(value)
        case .insertFirst: elements.insert(value, at: 0)
        case .insertBefore:
            guard let place = isAnyone ? 0 : found.first else { return 0 }
            elements.insert(value, at: place)
        case .insertAfter:
            guard let place = isAnyone ? elements.count - 1 : found.first else { return 0 }
            elements.insert(value, at: place + 1)
        case .replace:
            guard let place = found.first else { return 0 }
            elements[place] = value
        case .remove:
            elements = elements.enumerated().filter { !found.contains($0.offset) }.map(\.element)
            return found.count
        case .merge, .mergeReplacingLists:
            let merge = MessageMerge(replacesLists: patch.operation == .mergeReplacingLists)
            for index in found { elements[index] = merge.merge(value, over: elements[index], as: message) }
            return found.count
        }
        return 1
    }
}
