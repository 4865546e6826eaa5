package import WeftConfig

/// The names of the cluster as DNS sees them. Pure.
package struct DNSTable: Sendable {
    private var addresses: [String: [String]] = [:]
    private var aliases: [String: String] = [:]
    private var ports: [String: [(port: Int, target: String)]] = [:]
    private var pointers: [String: String] = [:]
    static let domain = "cluster.local"

    package init(services: [Service], slices: [EndpointSlice]) {
        var byService: [String: [EndpointSlice]] = [:]
        for slice in slices {
            byService["\(slice.metadata.namespace ?? "")/\(slice.serviceName ?? "")", default: []].append(slice)
        }
        for service in services {
            let (namespace, name) = (service.metadata.namespace ?? "", service.metadata.name ?? "")
            let host = "\(name).\(namespace).svc.\(Self.domain)"
            if service.spec.type == "ExternalName" {
                aliases[host] = service.spec.externalName ?? ""
            } else if let address = service.virtualIP {
                addresses[host] = [address]
                pointers[address] = host
            } else {
                headless(host, byService["\(namespace)/\(name)"] ?? [])
            }
            for port in service.spec.ports ?? [] {
                guard let portName = port.name else { continue }
                ports["_\(portName)._\((port.protocol ?? "TCP").lowercased()).\(host)", default: []].append(
                    (port.port, host))
            }
        }
    }

    private mutating func headless(_ host: String, _ slices: [EndpointSlice]) {
        addresses[host] = []
        for endpoint in slices.flatMap({ $0.endpoints ?? [] }) where endpoint.isReady {
            addresses[host]?.append(contentsOf: endpoint.addresses)
            guard let name = endpoint.hostname else { continue }
            addresses["\(name).\(host)", default: []].append(contentsOf: endpoint.addresses)
            for address in endpoint.addresses { pointers[address] = "\(name).\(host)" }
        }
    }

    /// What is known of a name; `nil` when there is no such name.
    enum Answer: Equatable {
        case address([UInt8]), name(String), service(port: Int, target: String)
    }

    func lookup(_ name: String, type: UInt16) -> [(owner: String, type: UInt16, answer: Answer)]? {
        let name = name.lowercased()
        if let target = aliases[name] {
            let next = type == DNSResponder.cname ? [] : lookup(target, type: type) ?? []
            return [(name, DNSResponder.cname, .name(target))] + next
        }
        if let found = addresses[name] {
            guard type == DNSResponder.a else { return [] }
            return found.map { (name, DNSResponder.a, .address($0.split(separator: ".").compactMap { UInt8($0) })) }
        }
        if let found = ports[name] {
            return type == DNSResponder.srv
                ? found.map { (name, type, .service(port: $0.port, target: $0.target)) } : []
        }
        if name.hasSuffix(".in-addr.arpa") {
            let address = name.dropLast(13).split(separator: ".").reversed().joined(separator: ".")
            return pointers[address].map { type == DNSResponder.ptr ? [(name, type, .name($0))] : [] }
        }
        // Empty non-terminals exist: a name with names below it is not NXDOMAIN.
        if addresses.keys.contains(where: { $0.hasSuffix(".\(name)") }) || name == Self.domain { return [] }
        return nil
    }
}

/// Answers one DNS message from the table. Pure: bytes in, bytes out.
package enum DNSResponder {
    static let a: UInt16 = 1
    static let cname: UInt16 = 5
    static let ptr: UInt16 = 12
    static let srv: UInt16 = 33

    /// `nil` for what is no query. - Parameter limit: longest answer; beyond it the answer is truncated (TC).
    package static func answer(_ query: [UInt8], _ table: DNSTable, limit: Int = 65535) -> [UInt8]? {
        guard query.count >= 12, query[2] & 0x80 == 0 else { return nil }
        let opcode = query[2] >> 3 & 0x0F
        guard opcode == 0, query[4] == 0, query[5] == 1, let (name, end) = question(query) else {
            return header(query, code: opcode == 0 ? 1 : 4, answers: 0, questions: 0)
        }
        let type = UInt16(query[end]) << 8 | UInt16(query[end + 1])
        let asked = Array(query[12..<end + 4])
        guard let found = table.lookup(name, type: type) else {
            return header(query, code: 3, answers: 0, questions: 1) + asked
        }
        let records = found.flatMap { record($0.owner, $0.type, $0.answer) }
        if 12 + asked.count + records.count > limit {
            var short = header(query, code: 0, answers: 0, questions: 1) + asked
            short[2] |= 0x02
            return short
        }
        return header(query, code: 0, answers: found.count, questions: 1) + asked + records
    }

    private static func question(_ query: [UInt8]) -> (name: String, end: Int)? {
        var labels: [String] = []
        var position = 12
        while position < query.count, query[position] != 0 {
            let length = Int(query[position])
            guard length < 64, position + 1 + length < query.count else { return nil }
            labels.append(String(decoding: query[position + 1..<position + 1 + length], as: UTF8.self))
            position += 1 + length
        }
        guard position + 5 <= query.count else { return nil }
        return (labels.joined(separator: "."), position + 1)
    }

    private static func header(_ query: [UInt8], code: UInt8, answers: Int, questions: UInt8) -> [UInt8] {
        // Response, authoritative, recursion desired as asked, recursion available.
        [
            query[0], query[1], 0x84 | (query[2] & 0x01), 0x80 | code, 0, questions, UInt8(answers >> 8 & 0xFF),
            UInt8(answers & 0xFF),
        ]
            + [0, 0, 0, 0]
    }

    private static func encode(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8(min($0.utf8.count, 63))] + Array($0.utf8.prefix(63)) } + [0]
    }

    private static func record(_ owner: String, _ type: UInt16, _ answer: DNSTable.Answer) -> [UInt8] {
        let data: [UInt8] =
            switch answer {
            case .address(let bytes): bytes
            case .name(let name): encode(name)
            case .service(let port, let target):
                [0, 0, 0, 100, UInt8(port >> 8 & 0xFF), UInt8(port & 0xFF)] + encode(target)
            }
        let length = UInt16(data.count)
        return encode(owner) + [
            UInt8(type >> 8), UInt8(type & 0xFF), 0, 1, 0, 0, 0, 5, UInt8(length >> 8), UInt8(length & 0xFF),
        ]
            + data
    }
}
