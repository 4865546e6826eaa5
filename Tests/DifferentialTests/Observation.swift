import TestSupport

/// What one proxy did with one ``Sending``, with everything masked that must differ between two runs.
struct Observation: Sendable {
    /// Field name to value; the difference of two of these is the result of a case.
    var fields: [String: String] = [:]

    /// Names of the fields that differ, with both values.
    func differences(from other: Observation) -> [Difference] {
        Set(fields.keys).union(other.fields.keys).sorted().compactMap { key in
            let (left, right) = (fields[key], other.fields[key])
            return left == right ? nil : Difference(field: key, envoy: left ?? "(none)", weft: right ?? "(none)")
        }
    }
}

struct Difference: Sendable, CustomStringConvertible {
    var field: String
    var envoy: String
    var weft: String
    var description: String { "\(field): Envoy \"\(envoy)\", Weft \"\(weft)\"" }
}

/// Headers whose value is chance or time: compared by presence alone.
let maskedHeaders: Set<String> = [
    "date", "x-request-id", "x-envoy-upstream-service-time", "x-envoy-expected-rq-timeout-ms",
    "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid",
]
/// Headers that Weft adds for people and no other proxy has.
let ignoredHeaders: Set<String> = ["x-weft-reason", "x-weft-config", "x-weft-ticket"]

/// Turns what was seen on the wire into an ``Observation``.
struct Observer {
    var address: String
    var id: String
    var client: String

    /// Removes what differs between the proxies by construction: addresses, client ports and the exchange's id.
    func masked(_ text: String) -> String {
        // A long text is a body of one letter: its length and its first characters tell all.
        guard text.utf8.count < 4000 else { return "\(text.utf8.count) bytes: \(text.prefix(100))" }
        var result = ByteSearch.replace(id, with: "ID", in: text)
        result = ByteSearch.replace(address, with: "PROXY", in: result)
        while ByteSearch.find(Array("\(client):".utf8), in: Array(result.utf8)) != nil,
            let range = result.firstRange(of: "\(client):")
        {
            let end = result[range.upperBound...].firstIndex { !$0.isNumber } ?? result.endIndex
            result.replaceSubrange(range.lowerBound..<end, with: "CLIENT")
        }
        return result
    }

    /// To HEAD Envoy says `transfer-encoding: chunked` where it would have said `content-length: 0` to GET: neither means
    /// anything without a body.
    static func withoutFraming(_ response: WireMessage) -> WireMessage {
        var response = response
        response.fields.removeAll {
            let name = $0.name.lowercased()
            return name == "transfer-encoding" || (name == "content-length" && $0.value == "0")
        }
        return response
    }

    func headers(_ fields: [WireMessage.Field], under prefix: String, into result: inout [String: String]) {
        for field in fields {
            let name = field.name.lowercased()
            if ignoredHeaders.contains(name) { continue }
            let value = maskedHeaders.contains(name) ? "*" : masked(field.value)
            // Values of one name keep their order; names do not.
            result["\(prefix).\(name)", default: ""] += "[\(value)]"
        }
    }

    func observe(
        responses: [WireMessage], rest: [UInt8], ended: Bool, wantsEnd: Bool, seen: [SeenRequest],
        log: [[String: String]]
    ) -> Observation {
        var fields = ["responses": String(responses.count)]
        for (index, response) in responses.enumerated() {
            let prefix = responses.count > 1 ? "response\(index)" : "response"
            fields["\(prefix).status"] = String(response.status)
            fields["\(prefix).body"] = masked(response.text)
            headers(response.fields, under: prefix + ".header", into: &fields)
            headers(response.trailers, under: prefix + ".trailer", into: &fields)
        }
        if !rest.isEmpty { fields["rest"] = masked(String(decoding: rest, as: UTF8.self)) }
        if wantsEnd { fields["closed"] = String(ended) }
        fields["upstream.count"] = String(seen.count)
        // Mirrors race with the request itself: order by upstream, the request before its copies, then by arrival.
        func place(_ one: SeenRequest) -> (String, Int, Int) { (one.upstream, one.isShadow ? 1 : 0, one.order) }
        for (index, one) in seen.sorted(by: { place($0) < place($1) }).enumerated() {
            let prefix = "upstream\(index)"
            fields["\(prefix).name"] = one.upstream
            fields["\(prefix).line"] = masked(one.message.startLine)
            fields["\(prefix).body"] = masked(one.message.text)
            headers(one.message.fields, under: prefix + ".header", into: &fields)
            headers(one.message.trailers, under: prefix + ".trailer", into: &fields)
        }
        fields["log.count"] = String(log.count)
        for (index, line) in log.enumerated() {
            for (name, value) in line where name != "id" {
                fields[log.count > 1 ? "log\(index).\(name)" : "log.\(name)"] = masked(value)
            }
        }
        return Observation(fields: fields)
    }
}
