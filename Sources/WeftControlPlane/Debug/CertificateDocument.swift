import WeftCore

/// The certificates of a proxy as its admin port tells them (`/certs`, Envoy's form), for the dashboard: a list of
/// `{"use": "chain" or "root", "names": [text], "serial", "from", "until"}`. Pure; holds no key.
enum CertificateDocument {
    static func make(_ admin: JSONValue) -> JSONValue? {
        guard let groups = admin["certificates"]?.arrayValue else { return nil }
        var seen: Set<String> = []
        var list: [JSONValue] = []
        for group in groups {
            for (key, use) in [("cert_chain", "chain"), ("ca_cert", "root")] {
                for one in group[key]?.arrayValue ?? [] {
                    let serial = one["serial_number"]?.stringValue ?? ""
                    // Envoy tells a certificate once for each context that uses it.
                    guard seen.insert("\(use) \(serial)").inserted else { continue }
                    let names = (one["subject_alt_names"]?.arrayValue ?? []).compactMap {
                        $0["uri"]?.stringValue ?? $0["dns"]?.stringValue ?? $0["ip_address"]?.stringValue
                    }
                    list.append([
                        "use": .string(use), "names": .array(names.map { .string($0) }), "serial": .string(serial),
                        "from": one["valid_from"] ?? "", "until": one["expiration_time"] ?? "",
                    ])
                }
            }
        }
        return .array(list)
    }
}
