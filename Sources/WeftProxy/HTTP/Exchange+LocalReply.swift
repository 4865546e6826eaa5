import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting

/// `local_reply_config` with its matchers compiled.
struct CompiledLocalReplies: Sendable {
    struct Mapper: Sendable {
        let mapper: LocalReplies.Mapper
        let condition: Condition
    }
    indirect enum Condition: Sendable {
        case status(LocalReplies.Condition.Comparison, UInt32)
        case flags([String])
        case header(CompiledHeaderMatcher)
        case and([Condition])
        case or([Condition])

        init(_ condition: LocalReplies.Condition) {
            switch condition {
            case .status(let comparison, let value): self = .status(comparison, value)
            case .flags(let flags): self = .flags(flags)
            case .header(let matcher): self = .header(CompiledHeaderMatcher(matcher))
            case .and(let all): self = .and(all.map(Condition.init))
            case .or(let all): self = .or(all.map(Condition.init))
            }
        }

        func holds(_ exchange: Exchange) -> Bool {
            switch self {
            case .status(let comparison, let value): Self.compare(exchange.record.status, comparison, Int(value))
            case .flags(let wanted):
                wanted.isEmpty
                    ? exchange.record.flag != "-"
                    : exchange.record.flag.split(separator: ",").contains { wanted.contains(String($0)) }
            case .header(let matcher): matcher.matches(exchange.head)
            case .and(let all): all.allSatisfy { $0.holds(exchange) }
            case .or(let all): all.contains { $0.holds(exchange) }
            }
        }

        private static func compare(_ left: Int, _ how: LocalReplies.Condition.Comparison, _ right: Int) -> Bool {
            switch how {
            case .equal: left == right
            case .atLeast: left >= right
            case .atMost: left <= right
            case .notEqual: left != right
            }
        }
    }
    let mappers: [Mapper]
    let format: LocalReplies.Format?

    init(_ replies: LocalReplies) {
        mappers = replies.mappers.map { Mapper(mapper: $0, condition: Condition($0.condition)) }
        format = replies.format
    }
}

extension Exchange {
    /// Answers what is not to be a request, and is counted and logged as one.
    func refuse(_ reason: LocalReply.Reason) {
        countStart()
        reply(reason)
    }

    /// Gives a reply the status and the body that the configuration wants for it.
    /// - Returns: The mapper whose condition held.
    func map(_ local: inout LocalReply) -> LocalReplies.Mapper? {
        record.status = local.status
        guard let replies = connection.manager.localReplies,
            let mapper = replies.mappers.first(where: { $0.condition.holds(self) })?.mapper
        else { return nil }
        if let body = mapper.body { local.body = body }
        if let status = mapper.status {
            local.status = Int(status)
            record.status = local.status
        }
        return mapper
    }

    /// Writes the body as the configuration wants it, when all else of the reply is there.
    func format(_ local: inout LocalReply, _ head: inout ResponseHead, _ mapper: LocalReplies.Mapper?) {
        if let mapper { apply(mapper.headers, to: &head.headers) }
        let format = mapper?.format ?? connection.manager.localReplies?.format
        if let format {
            var type = "text/plain"
            switch format.body {
            case .text(let text): local.body = expand(text, local.body, head.headers)
            case .json(let value):
                local.body = fill(value, local.body, head.headers).text() + "\n"
                type = "application/json"
            }
            head.headers.set(.contentType, format.contentType ?? type)
        } else if mapper?.body != nil, !local.body.isEmpty {
            head.headers.set(.contentType, "text/plain")
        }
        guard format != nil || mapper?.body != nil else { return }
        head.headers.set(.contentLength, String(local.body.utf8.count))
        if local.body.isEmpty { head.headers.remove(.contentType) }
    }

    private static let bodyOperator = "%LOCAL_REPLY_BODY%"

    private func expand(_ text: String, _ body: String, _ response: HeaderBlock) -> String {
        var result = ""
        var rest = text[...]
        while let range = rest.firstRange(of: Self.bodyOperator) {
            result += Substitution.expand(String(rest[..<range.lowerBound]), self, response: response) + body
            rest = rest[range.upperBound...]
        }
        return result + Substitution.expand(String(rest), self, response: response)
    }

    /// A string that is one operator alone keeps the operator's type.
    private func fill(_ value: JSONValue, _ body: String, _ response: HeaderBlock) -> JSONValue {
        switch value {
        case .string(let text):
            let filled = expand(text, body, response)
            if Self.numeric.contains(text), let number = Int64(filled) { return .int(number) }
            let isOperator = text.hasPrefix("%") && text.hasSuffix("%") && text.count(where: { $0 == "%" }) == 2
            return isOperator && filled.isEmpty ? .null : .string(filled)
        case .array(let values): return .array(values.map { fill($0, body, response) })
        case .object(let members): return .object(members.mapValues { fill($0, body, response) })
        case .null, .bool, .int, .double: return value
        }
    }

    private static let numeric: Set<String> = [
        "%RESPONSE_CODE%", "%BYTES_RECEIVED%", "%BYTES_SENT%", "%DURATION%", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    ]
}
