package import WeftCore

/// One finished request as a proxy tells of it.
///
/// Query strings and header values are not in it, but for the request's and the trace's identifier: they may hold
/// secrets. Texts that a client chose are cut.
package struct TapRecord: Sendable, Hashable {
    /// One side of a request; empty members are unknown.
    package struct Party: Sendable, Hashable {
        package var workload = ""
        package var namespace = ""
        package var principal = ""
        package var address = ""
        package var service = ""

        package init() {}

        func mentions(_ text: String) -> Bool {
            "\(namespace)/\(workload)".contains(text) || principal.contains(text) || service.contains(text)
        }

        fileprivate var json: JSONValue {
            TapRecord.object([
                ("workload", workload), ("namespace", namespace), ("principal", principal), ("address", address),
                ("service", service),
            ])
        }
    }

    /// Milliseconds since 1970 when the request began.
    package var time: Int64 = 0
    /// `source` or `destination`.
    package var reporter = ""
    package var method = ""
    /// Without its query.
    package var path = ""
    package var host = ""
    package var protocolName = ""
    /// 0: no answer was sent.
    package var status = 0
    package var grpcStatus: Int?
    /// Envoy's response flags; `-` for none.
    package var flags = "-"
    /// Envoy's response code details: which rule refused, or `via_upstream`.
    package var details = ""
    package var route = ""
    /// The object that the route, or the refusal, comes from.
    package var routeConfig = ""
    package var cluster = ""
    package var upstream = ""
    package var attempts = 0
    package var source = Party()
    package var destination = Party()
    /// Whether this hop was under mutual TLS; `nil` when nobody knows.
    package var isMutualTLS: Bool?
    /// From the first byte of the request to the end.
    package var milliseconds = 0.0
    package var requestBytes = 0
    package var responseBytes = 0
    package var requestID = ""
    package var traceID = ""

    package init() {}

    package var json: JSONValue {
        var value = Self.object([
            ("reporter", reporter), ("method", method), ("path", path), ("host", host), ("protocol", protocolName),
            ("flags", flags), ("details", details), ("route", route), ("routeConfig", routeConfig),
            ("cluster", cluster), ("upstream", upstream), ("requestID", requestID), ("traceID", traceID),
        ])
        value["time"] = .int(time)
        value["status"] = .int(Int64(status))
        if let grpcStatus { value["grpcStatus"] = .int(Int64(grpcStatus)) }
        value["attempts"] = .int(Int64(attempts))
        value["source"] = source.json
        value["destination"] = destination.json
        if let isMutualTLS { value["mtls"] = .bool(isMutualTLS) }
        value["latency"] = .double((milliseconds * 1000).rounded() / 1000)
        value["requestBytes"] = .int(Int64(requestBytes))
        value["responseBytes"] = .int(Int64(responseBytes))
        return value
    }

    fileprivate static func object(_ members: [(String, String)]) -> JSONValue {
        var object: [String: JSONValue] = [:]
        for (name, text) in members where !text.isEmpty { object[name] = .string(text) }
        return .object(object)
    }
}

/// What a viewer wants, as the proxies are told.
package struct TapOrder: Sendable, Hashable {
    /// The viewer's number in its control plane.
    package var id: Int
    package var filter: TapFilter

    package init(id: Int, filter: TapFilter) {
        self.id = id
        self.filter = filter
    }

    /// Every message of orders says, too, that the control plane knows who has which address.
    static func bytes(_ orders: [TapOrder]) -> [UInt8] {
        let list = orders.map { ["id": .int(Int64($0.id)), "filter": $0.filter.json] as JSONValue }
        return (["orders": .array(list), "resolves": true] as JSONValue).serialized()
    }

    /// Whether the control plane may be asked who has an address; an older one would end the stream.
    static func resolves(_ bytes: [UInt8]) -> Bool { (try? JSONValue(parsing: bytes))?["resolves"] == true }

    /// - Returns: `nil` for bytes that are no orders; single orders that this version cannot follow are left out.
    static func read(_ bytes: [UInt8]) -> [TapOrder]? {
        guard let list = (try? JSONValue(parsing: bytes))?["orders"]?.arrayValue else { return nil }
        return list.compactMap { order in
            guard let id = order["id"]?.intValue, let filter = try? TapFilter(json: order["filter"] ?? [:]) else {
                return nil
            }
            return TapOrder(id: id, filter: filter)
        }
    }
}

/// What a proxy tells: one request for some viewers, and how many it has left out for each since the last message.
package struct TapMessage: Sendable {
    package var viewers: [Int]
    package var entry: JSONValue?
    package var lost: [Int: Int]

    package init(viewers: [Int], entry: JSONValue?, lost: [Int: Int]) {
        self.viewers = viewers
        self.entry = entry
        self.lost = lost
    }

    var bytes: [UInt8] {
        var value: JSONValue = ["for": .array(viewers.map { .int(Int64($0)) })]
        if let entry { value["entry"] = entry }
        if !lost.isEmpty {
            value["lost"] = .array(lost.map { ["id": .int(Int64($0.key)), "count": .int(Int64($0.value))] })
        }
        return value.serialized()
    }

    /// - Returns: `nil` for bytes that no proxy of ours would send.
    init?(bytes: [UInt8]) {
        guard bytes.count <= 1 << 16, let value = try? JSONValue(parsing: bytes, maximumDepth: 16),
            let list = value["for"]?.arrayValue
        else { return nil }
        viewers = list.compactMap(\.intValue)
        entry = value["entry"]
        if let entry, entry.objectValue == nil { return nil }
        lost = [:]
        for item in value["lost"]?.arrayValue ?? [] {
            guard let id = item["id"]?.intValue, let count = item["count"]?.intValue, count > 0 else { continue }
            lost[id] = count
        }
    }
}
