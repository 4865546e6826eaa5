import WeftIR
import WeftProto

typealias WireNames = Istio_Networking_Nds_V1_NameTable

extension NameTable {
    /// There is one table for a proxy, and its message has no name of its own.
    package static let resourceName = "names"

    func wire() -> WireNames {
        var wire = WireNames()
        wire.table = entries.mapValues { entry in
            var info = WireNames.NameInfo()
            info.ips = entry.addresses
            info.registry = entry.registry
            info.shortname = entry.shortName
            info.namespace = entry.namespace
            return info
        }
        return wire
    }

    init(_ wire: WireNames) {
        self.init(
            entries: wire.table.mapValues { info in
                var entry = Entry(addresses: info.ips, registry: info.registry)
                entry.shortName = info.shortname
                entry.namespace = info.namespace
                return entry
            })
    }
}
