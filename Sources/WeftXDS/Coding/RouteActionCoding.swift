import SwiftProtobuf
import WeftIR
import WeftProto

extension RouteAction {
    func wire() throws -> WireRoute.Action {
        var wire = WireRoute.Action()
        switch cluster {
        case .cluster(let name): wire.cluster = name
        case .header(let name): wire.clusterHeader = name
        case .weighted(let clusters): wire.weightedClusters.clusters = clusters.map { $0.wire() }
        }
        switch pathRewrite {
        case .prefix(let text): wire.prefixRewrite = text
        case .regex(let pattern, let substitution):
            wire.regexRewrite.pattern.regex = pattern
            wire.regexRewrite.substitution = substitution
        case .template, nil: break
        }
        switch hostRewrite {
        case .literal(let text): wire.hostRewriteLiteral = text
        case .header(let name): wire.hostRewriteHeader = name
        case .auto: wire.autoHostRewrite = .init(true)
        case .pathRegex, nil: break
        }
        wire.timeout = .init(milliseconds: timeoutMilliseconds)
        if let idleTimeoutMilliseconds { wire.idleTimeout = .init(milliseconds: idleTimeoutMilliseconds) }
        if let grpcTimeoutHeaderMaxMilliseconds {
            wire.maxStreamDuration.grpcTimeoutHeaderMax = .init(milliseconds: grpcTimeoutHeaderMaxMilliseconds)
        }
        if let retryPolicy { wire.retryPolicy = try retryPolicy.wire() }
        wire.requestMirrorPolicies = mirrors.map { mirror in
            var value = WireRoute.Action.RequestMirrorPolicy()
            value.cluster = mirror.cluster
            value.runtimeFraction = mirror.fraction.runtimeWire()
            return value
        }
        wire.hashPolicy = hashPolicies.map { $0.wire() }
        wire.upgradeConfigs = upgrades.map { upgrade in
            var value = WireRoute.Action.UpgradeConfig()
            value.upgradeType = upgrade.type
            value.enabled = .init(upgrade.enabled)
            return value
        }
        wire.appendXForwardedHost = appendXForwardedHost
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
                    reader.map("weighted_clusters.clusters", weighted.clusters) { WeightedCluster($0, reader) }))
        case nil: throw reader.error("cluster specifier of a kind that is not supported")
        }
        if !wire.prefixRewrite.isEmpty { pathRewrite = .prefix(wire.prefixRewrite) }
        if wire.hasRegexRewrite {
            pathRewrite = .regex(pattern: wire.regexRewrite.pattern.regex, substitution: wire.regexRewrite.substitution)
        }
        switch wire.hostRewriteSpecifier {
        case .hostRewriteLiteral(let text): hostRewrite = .literal(text)
        case .hostRewriteHeader(let name): hostRewrite = .header(name)
        case .autoHostRewrite(let enabled): hostRewrite = enabled.value ? .auto : nil
        case nil: break
        }
        if wire.hasTimeout { timeoutMilliseconds = wire.timeout.milliseconds }
        if wire.hasIdleTimeout { idleTimeoutMilliseconds = wire.idleTimeout.milliseconds }
        if wire.maxStreamDuration.hasGrpcTimeoutHeaderMax {
            grpcTimeoutHeaderMaxMilliseconds = wire.maxStreamDuration.grpcTimeoutHeaderMax.milliseconds
        }
        reader.ignored("max_stream_duration.max_stream_duration", if: wire.maxStreamDuration.hasMaxStreamDuration)
        reader.ignored("priority", if: wire.priority != .default)
        if wire.hasRetryPolicy {
            retryPolicy = try reader.at("retry_policy") { try RetryPolicy(wire.retryPolicy, reader) }
        }
        mirrors = wire.requestMirrorPolicies.map {
            Mirror(
                cluster: $0.cluster,
                fraction: $0.hasRuntimeFraction ? FractionalPercent($0.runtimeFraction.defaultValue) : .all)
        }
        hashPolicies = try reader.map("hash_policy", wire.hashPolicy) { try HashPolicy($0, reader) }
        upgrades = wire.upgradeConfigs.map {
            UpgradeConfig(type: $0.upgradeType, enabled: $0.hasEnabled ? $0.enabled.value : true)
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
    func wire() -> Envoy_Config_Route_V3_WeightedCluster.ClusterWeight {
        var wire = Envoy_Config_Route_V3_WeightedCluster.ClusterWeight()
        wire.name = name
        wire.weight = .init(weight)
        wire.requestHeadersToAdd = requestHeaders.wireAppend
        wire.requestHeadersToRemove = requestHeaders.remove
        wire.responseHeadersToAdd = responseHeaders.wireAppend
        wire.responseHeadersToRemove = responseHeaders.remove
        return wire
    }

    init(_ wire: Envoy_Config_Route_V3_WeightedCluster.ClusterWeight, _ reader: WireReader) {
        self.init(name: wire.name, weight: wire.weight.value)
        reader.ignored("typed_per_filter_config", if: !wire.typedPerFilterConfig.isEmpty)
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
        case .cookie(let name, let ttl, let path, let terminal):
            wire.cookie.name = name
            if let ttl { wire.cookie.ttl = .init(milliseconds: ttl) }
            wire.cookie.path = path
            wire.terminal = terminal
        case .sourceIP(let terminal):
            wire.connectionProperties.sourceIp = true
            wire.terminal = terminal
        case .queryParameter(let name, let terminal):
            wire.queryParameter.name = name
            wire.terminal = terminal
        case .rewrittenHeader(let name, _, _, let terminal):
            wire.header.headerName = name
            wire.terminal = terminal
        case .filterState(_, let terminal): wire.terminal = terminal
        }
        return wire
    }

    init(_ wire: WireRoute.Action.HashPolicy, _ reader: WireReader) throws {
        switch wire.policySpecifier {
        case .header(let header): self = .header(header.headerName, terminal: wire.terminal)
        case .cookie(let cookie):
            let ttl = cookie.hasTtl ? cookie.ttl.milliseconds : nil
            self = .cookie(name: cookie.name, ttlMilliseconds: ttl, path: cookie.path, terminal: wire.terminal)
        case .connectionProperties: self = .sourceIP(terminal: wire.terminal)
        case .queryParameter(let parameter): self = .queryParameter(parameter.name, terminal: wire.terminal)
        case nil: throw reader.error("hash policy of a kind that is not supported")
        }
    }
}

extension RetryPolicy {
    private static let previousHosts = "envoy.retry_host_predicates.previous_hosts"

    func wire() throws -> WireRoute.Retry {
        var wire = WireRoute.Retry()
        wire.retryOn = retryOn.joined(separator: ",")
        wire.retriableStatusCodes = retriableStatusCodes.map(UInt32.init)
        wire.retriableHeaders = retriableHeaders.map { $0.wire() }
        wire.numRetries = .init(numRetries)
        if let perTryTimeoutMilliseconds { wire.perTryTimeout = .init(milliseconds: perTryTimeoutMilliseconds) }
        if let perTryIdleTimeoutMilliseconds {
            wire.perTryIdleTimeout = .init(milliseconds: perTryIdleTimeoutMilliseconds)
        }
        wire.retryBackOff.baseInterval = .init(milliseconds: backOffBaseMilliseconds)
        if let backOffMaxMilliseconds { wire.retryBackOff.maxInterval = .init(milliseconds: backOffMaxMilliseconds) }
        wire.hostSelectionRetryMaxAttempts = hostSelectionRetryMaxAttempts
        if avoidPreviousHosts {
            var predicate = WireRoute.Retry.RetryHostPredicate()
            predicate.name = Self.previousHosts
            predicate.typedConfig = try pack(Envoy_Extensions_Retry_Host_PreviousHosts_V3_PreviousHostsPredicate())
            wire.retryHostPredicate = [predicate]
        }
        return wire
    }

    init(_ wire: WireRoute.Retry, _ reader: WireReader) throws {
        self.init(retryOn: wire.retryOn.split(separator: ",").map { $0.trimmed })
        retriableStatusCodes = try wire.retriableStatusCodes.map { try reader.status($0) }
        retriableHeaders = try reader.map("retriable_headers", wire.retriableHeaders) { try HeaderMatcher($0, reader) }
        if wire.hasNumRetries { numRetries = wire.numRetries.value }
        if wire.hasPerTryTimeout { perTryTimeoutMilliseconds = wire.perTryTimeout.milliseconds }
        if wire.hasPerTryIdleTimeout { perTryIdleTimeoutMilliseconds = wire.perTryIdleTimeout.milliseconds }
        if wire.hasRetryBackOff {
            backOffBaseMilliseconds = wire.retryBackOff.baseInterval.milliseconds
            if wire.retryBackOff.hasMaxInterval { backOffMaxMilliseconds = wire.retryBackOff.maxInterval.milliseconds }
        }
        hostSelectionRetryMaxAttempts = max(1, wire.hostSelectionRetryMaxAttempts)
        for predicate in wire.retryHostPredicate {
            guard predicate.name == Self.previousHosts else {
                throw reader.error("retry host predicate \(predicate.name) is not supported")
            }
            avoidPreviousHosts = true
        }
        reader.ignored("retry_priority", if: wire.hasRetryPriority)
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
