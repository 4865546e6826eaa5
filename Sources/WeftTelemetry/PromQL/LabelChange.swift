import WeftCore

/// `label_replace` and `label_join`.
enum LabelChange {
    static func replace(
        _ series: [SteppedSeries], _ evaluator: Evaluator, _ arguments: [Expression]
    ) throws -> [SteppedSeries] {
        let (target, template, origin, pattern) = (
            try evaluator.string(arguments[1]), try evaluator.string(arguments[2]), try evaluator.string(arguments[3]),
            try evaluator.string(arguments[4])
        )
        let search: RegexReplacement
        do {
            search = try RegexReplacement("^(?:\(pattern))$", substitution: "")
        } catch {
            throw PromQLError(
                .execution,
                "invalid regular expression in label_replace(): \(PromQLText.quoted(pattern)): \(error.message)")
        }
        try check(target, "destination", "label_replace")
        let expand = Template(template)
        return try evaluator.merged(
            series.map { one in
                guard let groups = search.groups(in: Array(one.labels[origin].utf8)) else { return one }
                let value = expand.text(groups, names: search.groupNames)
                return SteppedSeries(labels: one.labels.setting(target, value), values: one.values)
            })
    }

    static func join(
        _ series: [SteppedSeries], _ evaluator: Evaluator, _ arguments: [Expression]
    ) throws -> [SteppedSeries] {
        let target = try evaluator.string(arguments[1])
        let separator = try evaluator.string(arguments[2])
        let origins = try arguments.dropFirst(3).map { try evaluator.string($0) }
        try check(target, "destination", "label_join")
        for origin in origins { try check(origin, "source", "label_join") }
        return try evaluator.merged(
            series.map { one in
                let value = origins.map { one.labels[$0] }.joined(separator: separator)
                return SteppedSeries(labels: one.labels.setting(target, value), values: one.values)
            })
    }

    private static func check(_ label: String, _ role: String, _ function: String) throws(PromQLError) {
        guard MetricNames.isLabel(label) else {
            throw PromQLError(.execution, "invalid \(role) label name in \(function)(): \(label)")
        }
    }

    /// `$1`, `${1}`, `${name}` and `$$` in a replacement, as Go's `Expand` reads them.
    struct Template: Sendable, Hashable {
        private enum Piece: Sendable, Hashable {
            case text(String)
            case group(String)
        }
        private var pieces: [Piece] = []

        init(_ text: String) {
            var rest = Array(text.utf8)[...]
            var literal: [UInt8] = []
            while let byte = rest.popFirst() {
                guard byte == UInt8(ascii: "$") else {
                    literal.append(byte)
                    continue
                }
                if rest.first == UInt8(ascii: "$") {
                    rest.removeFirst()
                    literal.append(byte)
                } else if let name = Self.name(&rest) {
                    pieces.append(.text(String(decoding: literal, as: UTF8.self)))
                    literal = []
                    pieces.append(.group(name))
                } else {
                    literal.append(byte)
                }
            }
            pieces.append(.text(String(decoding: literal, as: UTF8.self)))
        }

        private static func name(_ rest: inout ArraySlice<UInt8>) -> String? {
            let braced = rest.first == UInt8(ascii: "{")
            let body = braced ? rest.dropFirst() : rest
            let name = body.prefix { MetricNames.isName([95, $0], colon: false) }
            guard !name.isEmpty else { return nil }
            let after = body[name.endIndex...]
            if braced {
                guard after.first == UInt8(ascii: "}") else { return nil }
                rest = after.dropFirst()
            } else {
                rest = after
            }
            return String(decoding: name, as: UTF8.self)
        }

        func text(_ groups: [[UInt8]?], names: [String: Int]) -> String {
            var result = ""
            for piece in pieces {
                switch piece {
                case .text(let text): result += text
                case .group(let name):
                    guard let number = Int(name) ?? names[name], groups.indices.contains(number) else { continue }
                    result += String(decoding: groups[number] ?? [], as: UTF8.self)
                }
            }
            return result
        }
    }
}
