package import WeftConfig
package import WeftCore

/// Addresses for ServiceEntries that give none, so that a proxy which answers DNS can tell their hosts apart
/// (`status.addresses`, as Istio writes it). Pure.
///
/// An address is made from the entry's namespace, name and host; when it is taken, the next free one is. What is in a
/// status stays, so that connections survive the control plane.
package enum AddressAllocation {
    /// One host of an entry and the address that it has.
    package struct Address: Sendable, Hashable {
        package var host: String
        package var value: String
    }

    /// 240.240.0.0/16, without the first and the last address.
    private static let size: UInt32 = 65_534
    private static let optOut = "networking.istio.io/enable-autoallocate-ip"

    /// `status.addresses` by host.
    package static func recorded(in entry: KubernetesObject) -> [String: [String]] {
        var result: [String: [String]] = [:]
        for address in entry.json[path: "status", "addresses"]?.arrayValue ?? [] {
            guard let value = address["value"]?.stringValue, let host = address["host"]?.stringValue else { continue }
            result[host, default: []].append(value)
        }
        return result
    }

    /// Hosts that need an address: none given, names that can be resolved, and not opted out.
    package static func hosts(of entry: KubernetesObject) -> [String] {
        guard entry.labels[optOut]?.lowercased() != "false", let spec = try? entry.spec(ServiceEntry.self),
            (spec.addresses ?? []).isEmpty, (spec.resolution ?? .none) != .none
        else { return [] }
        return (spec.hosts ?? []).filter { !$0.hasPrefix("*") }
    }

    /// The addresses that entries lack or that are no longer theirs, by entry; entries that are right are left out.
    package static func changes(in entries: [KubernetesObject]) -> [(entry: KubernetesObject, addresses: [Address])] {
        let ordered = entries.sorted {
            ($0.creationTimestamp, $0.namespace, $0.name) < ($1.creationTimestamp, $1.namespace, $1.name)
        }
        var taken: Set<String> = []
        var kept: [ResourceReference: [String: String]] = [:]
        for entry in ordered {
            let recorded = recorded(in: entry)
            for host in hosts(of: entry) {
                guard let value = recorded[host]?.first(where: isOurs), taken.insert(value).inserted else { continue }
                kept[entry.reference, default: [:]][host] = value
            }
        }
        var changes: [(entry: KubernetesObject, addresses: [Address])] = []
        for entry in ordered {
            let wanted = hosts(of: entry).compactMap { host -> Address? in
                let key = "\(entry.namespace)/\(entry.name)/\(host)"
                let value = kept[entry.reference]?[host] ?? free(key, &taken)
                return value.map { Address(host: host, value: $0) }
            }
            if wanted != list(entry) { changes.append((entry, wanted)) }
        }
        return changes
    }

    /// The form in a status.
    package static func json(_ addresses: [Address]) -> JSONValue {
        .array(addresses.map { ["value": .string($0.value), "host": .string($0.host)] })
    }

    private static func list(_ entry: KubernetesObject) -> [Address] {
        (entry.json[path: "status", "addresses"]?.arrayValue ?? []).map {
            Address(host: $0["host"]?.stringValue ?? "", value: $0["value"]?.stringValue ?? "")
        }
    }

    private static func isOurs(_ address: String) -> Bool { address.hasPrefix("240.240.") }

    private static func free(_ key: String, _ taken: inout Set<String>) -> String? {
        var hash: UInt32 = 2_166_136_261
        for byte in key.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        for step in 0..<size {
            let number = (hash &+ step) % size + 1
            let address = "240.240.\(number >> 8).\(number & 255)"
            if taken.insert(address).inserted { return address }
        }
        return nil
    }
}
