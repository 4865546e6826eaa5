import SwiftProtobuf
import WeftIR
import WeftProto

extension RBAC {
    func httpWire() -> WireHTTPRBAC {
        var wire = WireHTTPRBAC()
        wire.rulesStatPrefix = statPrefix
        wire.shadowRulesStatPrefix = shadowStatPrefix
        wire.rules = RBAC.rules(action, policies)
        if let shadowAction { wire.shadowRules = RBAC.rules(shadowAction, shadowPolicies) }
        return wire
    }

    func networkWire() -> WireNetworkRBAC {
        var wire = WireNetworkRBAC()
        wire.statPrefix = statPrefix
        wire.shadowRulesStatPrefix = shadowStatPrefix
        wire.rules = RBAC.rules(action, policies)
        if let shadowAction { wire.shadowRules = RBAC.rules(shadowAction, shadowPolicies) }
        return wire
    }

    init(_ wire: WireHTTPRBAC, _ reader: WireReader) throws {
        try self.init(
            rules: wire.hasRules ? wire.rules : nil, shadow: wire.hasShadowRules ? wire.shadowRules : nil,
            statPrefix: wire.rulesStatPrefix, reader)
        shadowStatPrefix = wire.shadowRulesStatPrefix
    }

    init(_ wire: WireNetworkRBAC, _ reader: WireReader) throws {
        try self.init(
            rules: wire.hasRules ? wire.rules : nil, shadow: wire.hasShadowRules ? wire.shadowRules : nil,
            statPrefix: wire.statPrefix, reader)
        shadowStatPrefix = wire.shadowRulesStatPrefix
    }

    private init(rules: WireRBAC?, shadow: WireRBAC?, statPrefix: String, _ reader: WireReader) throws {
        // No rules at all means that nothing is enforced: deny what no policy matches is nobody.
        self.init(action: .deny, policies: [])
        self.statPrefix = statPrefix
        if let rules {
            action = try Action(rules.action, reader)
            policies = try RBAC.policies(rules, reader)
        }
        if let shadow {
            shadowAction = try Action(shadow.action, reader)
            shadowPolicies = try RBAC.policies(shadow, reader)
        }
    }

    private static func rules(_ action: Action, _ policies: [Policy]) -> WireRBAC {
        var wire = WireRBAC()
        switch action {
        case .allow: wire.action = .allow
        case .deny: wire.action = .deny
        case .log: wire.action = .log
        }
        for policy in policies {
            var value = Envoy_Config_Rbac_V3_Policy()
            value.permissions = policy.permissions.map { $0.wire() }
            value.principals = policy.principals.map { $0.wire() }
            wire.policies[policy.name] = value
        }
        return wire
    }

    private static func policies(_ wire: WireRBAC, _ reader: WireReader) throws -> [Policy] {
        try wire.policies.sorted { $0.key < $1.key }.map { name, policy in
            try reader.at("policies[\(name)]") {
                Policy(
                    name: name,
                    permissions: try reader.map("permissions", policy.permissions) { try Permission($0, reader) },
                    principals: try reader.map("principals", policy.principals) { try Principal($0, reader) },
                    provenance: Provenance(policyName: name))
            }
        }
    }
}

extension RBAC.Action {
    init(_ wire: WireRBAC.Action, _ reader: WireReader) throws {
        switch wire {
        case .allow: self = .allow
        case .deny: self = .deny
        case .log: self = .log
        case .UNRECOGNIZED(let value): throw reader.error("unknown action \(value)")
        }
    }
}

extension Permission {
    func wire() -> WirePermission {
        var wire = WirePermission()
        switch self {
        case .any: wire.any = true
        case .and(let rules): wire.andRules.rules = rules.map { $0.wire() }
        case .or(let rules): wire.orRules.rules = rules.map { $0.wire() }
        case .not(let rule): wire.notRule = rule.wire()
        case .header(let matcher): wire.header = matcher.wire()
        case .urlPath(let matcher): wire.urlPath.path = matcher.wire()
        case .destinationIP(let range): wire.destinationIp = range.wire()
        case .destinationPort(let port): wire.destinationPort = UInt32(port)
        case .destinationPorts(let first, let end):
            wire.destinationPortRange.start = Int32(clamping: first)
            wire.destinationPortRange.end = Int32(clamping: end)
        case .pathTemplate(let text):
            var template = WireTemplateMatch()
            template.pathTemplate = text
            wire.uriTemplate.name = "envoy.path.match.uri_template.uri_template_matcher"
            if let any = try? pack(template) { wire.uriTemplate.typedConfig = any }
        case .requestedServerName(let matcher): wire.requestedServerName = matcher.wire()
        case .metadata(let matcher): wire.metadata = matcher.wire()
        }
        return wire
    }

    init(_ wire: WirePermission, _ reader: WireReader) throws {
        switch wire.rule {
        case .any(let any): self = any ? .any : .not(.any)
        case .andRules(let set): self = .and(try reader.map("and_rules", set.rules) { try Permission($0, reader) })
        case .orRules(let set): self = .or(try reader.map("or_rules", set.rules) { try Permission($0, reader) })
        case .notRule(let rule): self = .not(try Permission(rule, reader))
        case .header(let matcher): self = .header(try HeaderMatcher(matcher, reader))
        case .urlPath(let matcher): self = .urlPath(try StringMatcher(matcher.path, reader))
        case .destinationIp(let range): self = .destinationIP(try CIDR(range, reader))
        case .destinationPort(let port): self = .destinationPort(try reader.port(port))
        case .destinationPortRange(let range):
            guard range.start >= 0, range.end <= 65_536, range.start < range.end else {
                throw reader.error("destination_port_range must have a start below its end, both ports")
            }
            self = .destinationPorts(from: UInt32(range.start), to: UInt32(range.end))
        case .uriTemplate(let policy):
            guard policy.typedConfig.messageName == WireTemplateMatch.protoMessageName else {
                throw reader.error("uri_template of kind \(policy.typedConfig.messageName) is not supported")
            }
            self = .pathTemplate(try reader.unpack(policy.typedConfig, as: WireTemplateMatch.self).pathTemplate)
        case .requestedServerName(let matcher): self = .requestedServerName(try StringMatcher(matcher, reader))
        case .metadata(let matcher): self = .metadata(try DynamicMetadataMatcher(matcher, reader))
        case nil: throw reader.error("permission of a kind that is not supported")
        }
    }
}

extension Principal {
    func wire() -> WirePrincipal {
        var wire = WirePrincipal()
        switch self {
        case .any: wire.any = true
        case .and(let ids): wire.andIds.ids = ids.map { $0.wire() }
        case .or(let ids): wire.orIds.ids = ids.map { $0.wire() }
        case .not(let id): wire.notID = id.wire()
        case .authenticated(let matcher):
            wire.authenticated = .init()
            if let matcher { wire.authenticated.principalName = matcher.wire() }
        case .directRemoteIP(let range): wire.directRemoteIp = range.wire()
        case .remoteIP(let range): wire.remoteIp = range.wire()
        case .header(let matcher): wire.header = matcher.wire()
        case .urlPath(let matcher): wire.urlPath.path = matcher.wire()
        case .metadata(let matcher): wire.metadata = matcher.wire()
        }
        return wire
    }

    init(_ wire: WirePrincipal, _ reader: WireReader) throws {
        switch wire.identifier {
        case .any(let any): self = any ? .any : .not(.any)
        case .andIds(let set): self = .and(try reader.map("and_ids", set.ids) { try Principal($0, reader) })
        case .orIds(let set): self = .or(try reader.map("or_ids", set.ids) { try Principal($0, reader) })
        case .notID(let id): self = .not(try Principal(id, reader))
        case .authenticated(let peer):
            self = .authenticated(peer.hasPrincipalName ? try StringMatcher(peer.principalName, reader) : nil)
        case .sourceIp(let range), .remoteIp(let range): self = .remoteIP(try CIDR(range, reader))
        case .directRemoteIp(let range): self = .directRemoteIP(try CIDR(range, reader))
        case .header(let matcher): self = .header(try HeaderMatcher(matcher, reader))
        case .urlPath(let matcher): self = .urlPath(try StringMatcher(matcher.path, reader))
        case .metadata(let matcher): self = .metadata(try DynamicMetadataMatcher(matcher, reader))
        case nil: throw reader.error("principal of a kind that is not supported")
        }
    }
}
