import SwiftProtobuf
import WeftIR
import WeftProto

extension RouteAction {
    func wire(_ target: Target) throws -> WireRoute.Action {
        var wire = WireRoute.Action()
        switch cluster {
        case .cluster(let name): wire.cluster = name
        case .header(let name): wire.clusterHeader = name
        case .weighted(let clusters): wire.weightedClusters.clusters = try clusters.map { try $0.wire(target) }
        }
        switch pathRewrite {
        case .prefix(let text): wire.prefixRewrite = text
        case .regex(let pattern, let substitution):
            wire.regexRewrite.pattern.regex = pattern
            wire.regexRewrite.substitution = substitution
        case .template(let text):
            var template = WireTemplateRewrite()
            template.pathTemplateRewrite = text
            wire.pathRewritePolicy.name = "envoy.path.rewrite.uri_template.uri_template_rewriter"
            wire.pathRewritePolicy.typedConfig = try pack(template)
        case nil: break
        }
        switch hostRewrite {
        case .literal(let text): wire.hostRewriteLiteral = text
        case .header(let name): wire.hostRewriteHeader = name
        case .auto: wire.autoHostRewrite = .init(true)
        case .pathRegex(let pattern, let substitution):
            wire.hostRewritePathRegex.pattern.regex = pattern
            wire.hostRewritePathRegex.substitution = substitution
        case nil: break
        }
        wire.timeout = .init(milliseconds: timeoutMilliseconds)
        if let idleTimeoutMilliseconds { wire.idleTimeout = .init(milliseconds: idleTimeoutMilliseconds) }
        writeLimits(to: &wire)
        if let retryPolicy { wire.retryPolicy = try retryPolicy.wire() }
        wire.requestMirrorPolicies = mirrors.map { $0.wire() }
        wire.hashPolicy = hashPolicies.map { $0.wire() }
        wire.upgradeConfigs = upgrades.map { upgrade in
            var value = WireRoute.Action.UpgradeConfig()
            value.upgradeType = upgrade.type
            value.enabled = .init(upgrade.enabled)
            if upgrade.terminatesConnect { value.connectConfig = .init() }
            if upgrade.terminatesPost { value.connectConfig.allowPost = true }
            return value
        }
        wire.appendXForwardedHost = appendXForwardedHost
        wire.priority = priority == .high ? .high : .default
        if !metadataMatch.isEmpty { wire.metadataMatch.balancing = metadataMatch }
        if let hedge { wire.hedgePolicy = hedge.wire() }
        wire.rateLimits = rateLimits.map { $0.wire() }
        if includesHostRateLimits { wire.includeVhRateLimits = .init(true) }
        switch clusterNotFoundStatus {
        case 404: wire.clusterNotFoundResponseCode = .notFound
        case 500: wire.clusterNotFoundResponseCode = .internalServerError
        default: wire.clusterNotFoundResponseCode = .serviceUnavailable
        }
        return wire
    }

    init(_ wire: WireRoute.Action, _ reader: WireReader) throws {
        switch wire.clusterSpecifier {
        case .cluster(let name): self.init(cluster: .cluster(name))
        case .clusterHeader(let name): self.init(cluster: .header(name))
        case .weightedClusters(let weighted):
            self.init(
                cluster: .weighted(
                    try reader.map("weighted_clusters.clusters", weighted.clusters) { try WeightedCluster($0, reader) })
            )
        case nil: throw reader.error("cluster specifier of a kind that is not supported")
        }
        if !wire.prefixRewrite.isEmpty { pathRewrite = .prefix(wire.prefixRewrite) }
        if wire.hasRegexRewrite {
            pathRewrite = .regex(pattern: wire.regexRewrite.pattern.regex, substitution: wire.regexRewrite.substitution)
        }
        if wire.hasPathRewritePolicy {
            let any = wire.pathRewritePolicy.typedConfig
            guard any.holds(WireTemplateRewrite.self) else {
                throw reader.error(
                    "path_rewrite_policy \(wire.pathRewritePolicy.name) (\(any.messageName)) is not supported")
            }
            pathRewrite = .template(try reader.unpack(any, as: WireTemplateRewrite.self).pathTemplateRewrite)
        }
        switch wire.hostRewriteSpecifier {
        case .hostRewriteLiteral(let text): hostRewrite = .literal(text)
        case .hostRewriteHeader(let name): hostRewrite = .header(name)
        case .autoHostRewrite(let enabled): hostRewrite = enabled.value ? .auto : nil
        case .hostRewritePathRegex(let rewrite):
            hostRewrite = .pathRegex(pattern: rewrite.pattern.regex, substitution: rewrite.substitution)
        case nil: break
        }
        if wire.hasTimeout { timeoutMilliseconds = wire.timeout.milliseconds }
        if wire.hasIdleTimeout { idleTimeoutMilliseconds = wire.idleTimeout.milliseconds }
        try readLimits(wire, reader)
        priority = wire.priority == .high ? .high : .default
        metadataMatch = wire.metadataMatch.balancing
        if wire.hasHedgePolicy { hedge = Hedge(wire.hedgePolicy) }
        rateLimits = try reader.map("rate_limits", wire.rateLimits) { try RateLimitRule($0, reader) }
        includesHostRateLimits = wire.includeVhRateLimits.value
        if wire.hasRetryPolicy {
            retryPolicy = try reader.at("retry_policy") { try RetryPolicy(wire.retryPolicy, reader) }
        }
        mirrors = wire.requestMirrorPolicies.map { Mirror($0, reader) }
        hashPolicies = try reader.map("hash_policy", wire.hashPolicy) { try HashPolicy($0, reader) }
        upgrades = wire.upgradeConfigs.map {
            var upgrade = UpgradeConfig(type: $0.upgradeType, enabled: $0.hasEnabled ? $0.enabled.value : true)
            upgrade.terminatesConnect = $0.hasConnectConfig
            upgrade.terminatesPost = $0.connectConfig.allowPost
            return upgrade
        }
        appendXForwardedHost = wire.appendXForwardedHost
        switch wire.clusterNotFoundResponseCode {
        case .notFound: clusterNotFoundStatus = 404
        case .internalServerError: clusterNotFoundStatus = 500
        default: clusterNotFoundStatus = 503
        }
    }
}

extension WeightedCluster {
    func wire(_ target: Target) throws -> Envoy_Config_Route_V3_WeightedCluster.ClusterWeight {
        var wire = Envoy_Config_Route_V3_WeightedCluster.ClusterWeight()
        wire.name = name
        wire.clusterHeader = clusterHeader ?? ""
        if !metadataMatch.isEmpty { wire.metadataMatch.balancing = metadataMatch }
        if let hostRewrite { wire.hostRewriteLiteral = hostRewrite }
        wire.typedPerFilterConfig = try perFilter.mapValues { try $0.wire(target) }
        wire.weight = .init(weight)
        wire.requestHeadersToAdd = requestHeaders.wireAppend
        wire.requestHeadersToRemove = requestHeaders.remove
        wire.responseHeadersToAdd = responseHeaders.wireAppend
        wire.responseHeadersToRemove = responseHeaders.remove
        return wire
    }

    init(_ wire: Envoy_Config_Route_V3_WeightedCluster.ClusterWeight, _ reader: WireReader) throws {
        self.init(name: wire.name, weight: wire.weight.value)
        if wire.name.isEmpty == wire.clusterHeader.isEmpty {
            throw reader.error("exactly one of name and cluster_header is needed")
        }
        if !wire.clusterHeader.isEmpty { clusterHeader = wire.clusterHeader.lowercased() }
        metadataMatch = wire.metadataMatch.balancing
        if case .hostRewriteLiteral(let text) = wire.hostRewriteSpecifier { hostRewrite = text }
        perFilter = try PerRouteFilter.read(wire.typedPerFilterConfig, reader)
        requestHeaders = .init(wire.requestHeadersToAdd, remove: wire.requestHeadersToRemove)
        responseHeaders = .init(wire.responseHeadersToAdd, remove: wire.responseHeadersToRemove)
    }
}

extension HashPolicy {
    func wire() -> WireRoute.Action.HashPolicy {
        var wire = WireRoute.Action.HashPolicy()
        switch self {
        case .header(let name, let terminal):
            wire.header.headerName = name
            wire.terminal = terminal
        case .cookie(let name, let ttl, let path, let terminal, let attributes):
            wire.cookie.name = name
            if let ttl { wire.cookie.ttl = .init(milliseconds: ttl) }
            wire.cookie.path = path
            wire.cookie.attributes = attributes.map { attribute in
                var wire = WireRoute.Action.HashPolicy.CookieAttribute()
                wire.name = attribute.name
                wire.value = attribute.value
                return wire
            }
            wire.terminal = terminal
        case .sourceIP(let terminal):
            wire.connectionProperties.sourceIp = true
            wire.terminal = terminal
        case .queryParameter(let name, let terminal):
            wire.queryParameter.name = name
            wire.terminal = terminal
        case .rewrittenHeader(let name, let pattern, let substitution, let terminal):
            wire.header.headerName = name
            wire.header.regexRewrite.pattern.regex = pattern
            wire.header.regexRewrite.substitution = substitution
            wire.terminal = terminal
        case .filterState(let key, let terminal):
            wire.filterState.key = key
            wire.terminal = terminal
        }
        return wire
    }

    init(_ wire: WireRoute.Action.HashPolicy, _ reader: WireReader) throws {
        switch wire.policySpecifier {
        case .header(let header) where header.hasRegexRewrite:
            self = .rewrittenHeader(
                header.headerName.lowercased(), pattern: header.regexRewrite.pattern.regex,
                substitution: header.regexRewrite.substitution, terminal: wire.terminal)
        case .header(let header): self = .header(header.headerName, terminal: wire.terminal)
        case .filterState(let state): self = .filterState(state.key, terminal: wire.terminal)
        case .cookie(let cookie):
            let ttl = cookie.hasTtl ? cookie.ttl.milliseconds : nil
            self = .cookie(
                name: cookie.name, ttlMilliseconds: ttl, path: cookie.path, terminal: wire.terminal,
                attributes: cookie.attributes.map { .init(name: $0.name, value: $0.value) })
        case .connectionProperties: self = .sourceIP(terminal: wire.terminal)
        case .queryParameter(let parameter): self = .queryParameter(parameter.name, terminal: wire.terminal)
        case nil: throw reader.error("hash policy of a kind that is not supported")
        }
    }
}

extension RouteAction.Hedge {
    func wire() -> Envoy_Config_Route_V3_HedgePolicy {
        var wire = Envoy_Config_Route_V3_HedgePolicy()
        wire.initialRequests = .init(initialRequests)
        wire.additionalRequestChance = additionalRequestChance.wire()
        wire.hedgeOnPerTryTimeout = onPerTryTimeout
        return wire
    }

    init(_ wire: Envoy_Config_Route_V3_HedgePolicy) {
        self.init()
        if wire.hasInitialRequests { initialRequests = wire.initialRequests.value }
        additionalRequestChance = FractionalPercent(wire.additionalRequestChance)
        onPerTryTimeout = wire.hedgeOnPerTryTimeout
    }
}
