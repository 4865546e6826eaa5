package import WeftHTTP
package import WeftIR

/// What descriptors are made of.
package struct RateLimitView: Sendable {
    package var head: RequestHead
    package var remoteIP: String
    /// The route's cluster; empty when it has none.
    package var destinationCluster: String
    /// `--service-cluster` of the proxy.
    package var sourceCluster: String
    /// Dynamic metadata by the name of the filter that set it.
    package var metadata: [String: DynamicValue] = [:]

    package init(head: RequestHead, remoteIP: String, destinationCluster: String = "", sourceCluster: String = "") {
        self.head = head
        self.remoteIP = remoteIP
        self.destinationCluster = destinationCluster
        self.sourceCluster = sourceCluster
    }
}

/// The rate-limit actions of a route, compiled once. Immutable.
package struct CompiledRateLimitRules: Sendable {
    private enum Action: Sendable {
        case fixed(RateLimitDescriptor.Entry)
        case sourceCluster
        case destinationCluster
        case header(HeaderName, pseudo: String?, key: String, skips: Bool)
        case remoteAddress
        case masked(v4: Int, v6: Int)
        case headerMatch(RateLimitDescriptor.Entry, expects: Bool, [CompiledHeaderMatcher])
        case parameter([UInt8], key: String, skips: Bool)
        case parameterMatch(RateLimitDescriptor.Entry, expects: Bool, [ParameterTest])
        case metadata(key: String, filter: String, path: [String], fallback: String, skips: Bool)
    }
    private struct Rule: Sendable {
        let actions: [Action]
        let hits: UInt64?
    }
    private struct ParameterTest: Sendable {
        let name: [UInt8]
        let present: Bool?
        let value: CompiledStringMatcher?
    }
    private let rules: [Rule]
    package var isEmpty: Bool { rules.isEmpty }

    /// - Parameter stage: Rules of other stages are left out.
    package init(_ rules: [RateLimitRule], stage: UInt32 = 0) {
        self.rules = rules.filter { $0.stage == stage }.map {
            Rule(actions: $0.actions.map(CompiledRateLimitRules.compile), hits: $0.hits)
        }
    }

    private static func compile(_ action: RateLimitRule.Action) -> Action {
        switch action {
        case .sourceCluster: .sourceCluster
        case .destinationCluster: .destinationCluster
        case .requestHeader(let name, let key, let skips):
            .header(HeaderName(name), pseudo: name.hasPrefix(":") ? name : nil, key: key, skips: skips)
        case .remoteAddress: .remoteAddress
        case .maskedRemoteAddress(let v4, let v6): .masked(v4: Int(min(v4, 32)), v6: Int(min(v6, 128)))
        case .genericKey(let key, let value): .fixed(.init(key.isEmpty ? "generic_key" : key, value))
        case .headerValueMatch(let key, let value, let expects, let headers):
            .headerMatch(
                .init(key.isEmpty ? "header_match" : key, value), expects: expects,
                headers.map(CompiledHeaderMatcher.init))
        case .queryParameter(let name, let key, let skips): .parameter(Array(name.utf8), key: key, skips: skips)
        case .queryParameterMatch(let key, let value, let expects, let parameters):
            .parameterMatch(
                .init(key.isEmpty ? "query_match" : key, value), expects: expects,
                parameters.map { parameter in
                    switch parameter.test {
                    case .present(let wanted):
                        ParameterTest(name: Array(parameter.name.utf8), present: wanted, value: nil)
                    case .string(let matcher):
                        ParameterTest(
                            name: Array(parameter.name.utf8), present: nil, value: CompiledStringMatcher(matcher))
                    }
                })
        case .metadata(let key, let filter, let path, let fallback, let skips):
            .metadata(key: key, filter: filter, path: path, fallback: fallback, skips: skips)
        }
    }

    /// One descriptor for each rule all of whose actions had something to say.
    package func descriptors(_ view: RateLimitView) -> [RateLimitDescriptor] {
        rules.compactMap { rule in
            var entries: [RateLimitDescriptor.Entry] = []
            for action in rule.actions {
                switch Self.entry(action, view) {
                case .entry(let entry): entries.append(entry)
                case .nothing: continue
                case .noDescriptor: return nil
                }
            }
            return entries.isEmpty ? nil : RateLimitDescriptor(entries, hits: rule.hits)
        }
    }

    private enum Outcome { case entry(RateLimitDescriptor.Entry), nothing, noDescriptor }

    private static func entry(_ action: Action, _ view: RateLimitView) -> Outcome {
        switch action {
        case .fixed(let entry): return .entry(entry)
        case .sourceCluster: return .entry(.init("source_cluster", view.sourceCluster))
        case .destinationCluster: return .entry(.init("destination_cluster", view.destinationCluster))
        case .header(let name, let pseudo, let key, let skips):
            guard let value = header(name, pseudo, view.head) else { return skips ? .nothing : .noDescriptor }
            return .entry(.init(key, value))
        case .remoteAddress: return .entry(.init("remote_address", view.remoteIP))
        case .masked(let v4, let v6):
            guard let network = IPAddress(view.remoteIP)?.network(v4Bits: v4, v6Bits: v6) else { return .noDescriptor }
            return .entry(.init("masked_remote_address", network))
        case .headerMatch(let entry, let expects, let matchers):
            return matchers.allSatisfy { $0.matches(view.head) } == expects ? .entry(entry) : .noDescriptor
        case .parameter(let name, let key, let skips):
            guard let value = PathAndQuery.parameter(name, in: view.head.path) else {
                return skips ? .nothing : .noDescriptor
            }
            return .entry(.init(key, String(decoding: value, as: UTF8.self)))
        case .parameterMatch(let entry, let expects, let tests):
            return tests.allSatisfy { matches($0, view.head) } == expects ? .entry(entry) : .noDescriptor
        case .metadata(let key, let filter, let path, let fallback, let skips):
            if let text = text(filter, path, view.metadata) { return .entry(.init(key, text)) }
            if !fallback.isEmpty { return .entry(.init(key, fallback)) }
            return skips ? .nothing : .noDescriptor
        }
    }

    /// Texts alone are values of descriptors.
    private static func text(_ filter: String, _ path: [String], _ metadata: [String: DynamicValue]) -> String? {
        var value = metadata[filter]
        for step in path {
            guard case .object(let members)? = value else { return nil }
            value = members[step]
        }
        guard case .string(let text)? = value, !text.isEmpty else { return nil }
        return text
    }

    private static func header(_ name: HeaderName, _ pseudo: String?, _ head: RequestHead) -> String? {
        switch pseudo {
        case nil: head.headers.joined(name).map { String(decoding: $0, as: UTF8.self) }
        case ":path": head.pathString
        case ":authority": head.authorityString
        case ":method": head.method.description
        case ":scheme": head.scheme.rawValue
        default: nil
        }
    }

    private static func matches(_ test: ParameterTest, _ head: RequestHead) -> Bool {
        let value = PathAndQuery.parameter(test.name, in: head.path)
        if let present = test.present { return (value != nil) == present }
        return value.flatMap { test.value?.matches($0) } ?? false
    }
}

/// The rate limits of a route and of its virtual host, by stage. Immutable.
package struct RouteRateLimits: Sendable {
    private let own: [UInt32: CompiledRateLimitRules]
    private let host: [UInt32: CompiledRateLimitRules]
    private let includesHost: Bool
    private let isEmpty: Bool

    package init(route: [RateLimitRule], host: [RateLimitRule], includesHost: Bool) {
        func byStage(_ rules: [RateLimitRule]) -> [UInt32: CompiledRateLimitRules] {
            var result: [UInt32: CompiledRateLimitRules] = [:]
            for stage in Set(rules.map(\.stage)) { result[stage] = CompiledRateLimitRules(rules, stage: stage) }
            return result
        }
        isEmpty = route.isEmpty
        own = byStage(route)
        self.host = byStage(host)
        self.includesHost = includesHost
    }

    /// - Parameter option: Whether the virtual host's count too.
    package func rules(stage: UInt32, _ option: VirtualHostRateLimits) -> [CompiledRateLimitRules] {
        let takesHost =
            switch option {
            case .override: isEmpty || includesHost
            case .include: true
            case .ignore: includesHost
            }
        return [own[stage], takesHost ? host[stage] : nil].compactMap(\.self)
    }
}

extension IPAddress {
    /// The network of this address as `address/length`.
    func network(v4Bits: Int, v6Bits: Int) -> String {
        var masked = bytes
        let bits = isIPv4 ? 96 + v4Bits : v6Bits
        for index in masked.indices {
            let kept = max(0, min(8, bits - index * 8))
            masked[index] &= kept == 0 ? 0 : UInt8(truncatingIfNeeded: 0xff << (8 - kept))
        }
        if isIPv4 { return masked[12...].map { String($0) }.joined(separator: ".") + "/\(v4Bits)" }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(masked[$0]) << 8 | UInt16(masked[$0 + 1]) }
        return Self.text(groups) + "/\(v6Bits)"
    }

    /// The canonical text (RFC 5952): the longest run of two and more zero groups is left out.
    private static func text(_ groups: [UInt16]) -> String {
        var best = 0..<0
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start > max(1, best.count) { best = start..<end }
            start = max(end, start + 1)
        }
        func join(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard !best.isEmpty else { return join(groups[...]) }
        return join(groups[..<best.lowerBound]) + "::" + join(groups[best.upperBound...])
    }
}
