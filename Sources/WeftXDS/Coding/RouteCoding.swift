import Foundation
import SwiftProtobuf
import WeftIR
import WeftProto

extension RouteConfiguration {
    func wire(_ target: Target) throws -> WireRoute.Configuration {
        var wire = WireRoute.Configuration()
        wire.name = name
        wire.virtualHosts = try virtualHosts.map { try $0.wire(target) }
        wire.requestHeadersToAdd = requestHeaders.wireAppend
        wire.requestHeadersToRemove = requestHeaders.remove
        wire.responseHeadersToAdd = responseHeaders.wireAppend
        wire.responseHeadersToRemove = responseHeaders.remove
        wire.validateClusters = .init(validateClusters)
        wire.ignorePortInHostMatching = ignorePortInHostMatching
        wire.typedPerFilterConfig = try perFilter.mapValues { try $0.wire(target) }
        wire.internalOnlyHeaders = internalOnlyHeaders
        wire.mostSpecificHeaderMutationsWins = mostSpecificMutationsWin
        wire.requestMirrorPolicies = mirrors.map { $0.wire() }
        return wire
    }

    init(_ wire: WireRoute.Configuration, _ reader: WireReader) throws {
        self.init(
            name: wire.name,
            virtualHosts: try reader.map("virtual_hosts", wire.virtualHosts) { try VirtualHost($0, reader) })
        requestHeaders = .init(wire.requestHeadersToAdd, remove: wire.requestHeadersToRemove)
        responseHeaders = .init(wire.responseHeadersToAdd, remove: wire.responseHeadersToRemove)
        validateClusters = wire.validateClusters.value
        ignorePortInHostMatching = wire.ignorePortInHostMatching
        perFilter = try PerRouteFilter.read(wire.typedPerFilterConfig, reader)
        internalOnlyHeaders = wire.internalOnlyHeaders
        mostSpecificMutationsWin = wire.mostSpecificHeaderMutationsWins
        mirrors = wire.requestMirrorPolicies.map { Mirror($0, reader) }
        try checkDomains(reader)
    }

    func checkDomains(_ reader: WireReader) throws {
        var seen: Set<String> = []
        seen.reserveCapacity(virtualHosts.count * 2)
        for host in virtualHosts {
            for domain in host.domains where !seen.insert(domain.lowercased()).inserted {
                throw reader.error("domain \(domain) is in more than one virtual host")
            }
        }
    }
}

extension VirtualHost {
    func wire(_ target: Target) throws -> WireRoute.VirtualHost {
        var wire = WireRoute.VirtualHost()
        wire.name = name
        wire.domains = domains
        wire.routes = try routes.map { try $0.wire(target) }
        switch requireTLS {
        case .none: wire.requireTls = .none
        case .externalOnly: wire.requireTls = .externalOnly
        case .all: wire.requireTls = .all
        }
        if let retryPolicy { wire.retryPolicy = try retryPolicy.wire() }
        wire.requestHeadersToAdd = requestHeaders.wireAppend
        wire.requestHeadersToRemove = requestHeaders.remove
        wire.responseHeadersToAdd = responseHeaders.wireAppend
        wire.responseHeadersToRemove = responseHeaders.remove
        wire.includeRequestAttemptCount = includeRequestAttemptCount
        wire.includeAttemptCountInResponse = includeAttemptCountInResponse
        wire.includeIsTimeoutRetryHeader = includeTimeoutRetryHeader
        wire.requestMirrorPolicies = mirrors.map { $0.wire() }
        if let hedge { wire.hedgePolicy = hedge.wire() }
        wire.typedPerFilterConfig = try perFilter.mapValues { try $0.wire(target) }
        wire.rateLimits = rateLimits.map { $0.wire() }
        return wire
    }

    init(_ wire: WireRoute.VirtualHost, _ reader: WireReader) throws {
        self.init(
            name: wire.name, domains: wire.domains,
            routes: try reader.map("routes", wire.routes) { try Route($0, reader) })
        switch wire.requireTls {
        case .externalOnly: requireTLS = .externalOnly
        case .all: requireTLS = .all
        default: requireTLS = .none
        }
        if wire.hasRetryPolicy { retryPolicy = try RetryPolicy(wire.retryPolicy, reader) }
        requestHeaders = .init(wire.requestHeadersToAdd, remove: wire.requestHeadersToRemove)
        responseHeaders = .init(wire.responseHeadersToAdd, remove: wire.responseHeadersToRemove)
        includeRequestAttemptCount = wire.includeRequestAttemptCount
        includeAttemptCountInResponse = wire.includeAttemptCountInResponse
        includeTimeoutRetryHeader = wire.includeIsTimeoutRetryHeader
        mirrors = wire.requestMirrorPolicies.map { Mirror($0, reader) }
        if wire.hasHedgePolicy { hedge = RouteAction.Hedge(wire.hedgePolicy) }
        perFilter = try PerRouteFilter.read(wire.typedPerFilterConfig, reader)
        rateLimits = try reader.map("rate_limits", wire.rateLimits) { try RateLimitRule($0, reader) }
    }
}

extension Route {
    func wire(_ target: Target) throws -> WireRoute.Route {
        var wire = WireRoute.Route()
        wire.name = name
        wire.match = try match.wire()
        switch action {
        case .forward(let action): wire.route = try action.wire(target)
        case .redirect(let redirect): wire.redirect = redirect.wire()
        case .directResponse(let response):
            wire.directResponse.status = UInt32(response.status)
            if !response.body.isEmpty { wire.directResponse.body.inlineString = response.body }
        }
        wire.requestHeadersToAdd = requestHeaders.wireAppend
        wire.requestHeadersToRemove = requestHeaders.remove
        wire.responseHeadersToAdd = responseHeaders.wireAppend
        wire.responseHeadersToRemove = responseHeaders.remove
        wire.typedPerFilterConfig = try perFilter.mapValues { try $0.wire(target) }
        if let operation { wire.decorator.operation = operation }
        if !propagatesOperation { wire.decorator.propagate = .init(false) }
        if let tracing { wire.tracing = tracing.wire() }
        wire.statPrefix = statPrefix
        wire.metadata.set(provenance, istio: true)
        return wire
    }

    init(_ wire: WireRoute.Route, _ reader: WireReader) throws {
        let match = try reader.at("match") { try RouteMatch(wire.match, reader) }
        let action: Action =
            switch wire.action {
            case .route(let action): .forward(try reader.at("route") { try RouteAction(action, reader) })
            case .redirect(let redirect): .redirect(try reader.at("redirect") { try Redirect(redirect, reader) })
            case .directResponse(let response):
                .directResponse(
                    DirectResponse(
                        status: try reader.status(response.status),
                        body: response.hasBody ? String(decoding: try response.body.inline(reader), as: UTF8.self) : "")
                )
            case .nonForwardingAction, nil: throw reader.error("route action of a kind that is not supported")
            }
        self.init(name: wire.name, match: match, action: action)
        requestHeaders = .init(wire.requestHeadersToAdd, remove: wire.requestHeadersToRemove)
        responseHeaders = .init(wire.responseHeadersToAdd, remove: wire.responseHeadersToRemove)
        perFilter = try PerRouteFilter.read(wire.typedPerFilterConfig, reader)
        if wire.hasDecorator {
            operation = wire.decorator.operation
            propagatesOperation = wire.decorator.hasPropagate ? wire.decorator.propagate.value : true
        }
        if wire.hasTracing { tracing = try reader.at("tracing") { try RouteTracing(wire.tracing, reader) } }
        statPrefix = wire.statPrefix
        provenance = wire.metadata.provenance
    }
}

extension RouteMatch {
    func wire() throws -> WireRoute.Match {
        var wire = WireRoute.Match()
        switch path {
        case .prefix(let text): wire.prefix = text
        case .pathSeparatedPrefix(let text): wire.pathSeparatedPrefix = text
        case .exact(let text): wire.path = text
        case .regex(let text): wire.safeRegex.regex = text
        case .connect: wire.connectMatcher = .init()
        case .template(let text):
            wire.pathMatchPolicy.name = "envoy.path.match.uri_template.uri_template_matcher"
            var template = WireTemplateMatch()
            template.pathTemplate = text
            wire.pathMatchPolicy.typedConfig = try pack(template)
        }
        if let tls {
            wire.tlsContext = .init()
            if let presented = tls.presented { wire.tlsContext.presented = .init(presented) }
            if let validated = tls.validated { wire.tlsContext.validated = .init(validated) }
        }
        wire.dynamicMetadata = dynamicMetadata.map { $0.wire() }
        wire.caseSensitive = .init(caseSensitive)
        wire.headers = headers.map { $0.wire() }
        wire.queryParameters = queryParameters.map { $0.wire() }
        if grpcOnly { wire.grpc = .init() }
        if let runtimeFraction { wire.runtimeFraction = runtimeFraction.runtimeWire() }
        return wire
    }

    init(_ wire: WireRoute.Match, _ reader: WireReader) throws {
        switch wire.pathSpecifier {
        case .prefix(let text): self.init(path: .prefix(text))
        case .pathSeparatedPrefix(let text): self.init(path: .pathSeparatedPrefix(text))
        case .path(let text): self.init(path: .exact(text))
        case .safeRegex(let regex): self.init(path: .regex(regex.regex))
        case .connectMatcher: self.init(path: .connect)
        case .pathMatchPolicy(let policy):
            guard policy.typedConfig.holds(WireTemplateMatch.self) else {
                throw reader.error(
                    "path_match_policy \(policy.name) (\(policy.typedConfig.messageName)) is not supported")
            }
            self.init(path: .template(try reader.unpack(policy.typedConfig, as: WireTemplateMatch.self).pathTemplate))
        case nil: throw reader.error("path match of a kind that is not supported")
        }
        caseSensitive = wire.hasCaseSensitive ? wire.caseSensitive.value : true
        headers = try reader.map("headers", wire.headers) { try HeaderMatcher($0, reader) }
        queryParameters = try reader.map("query_parameters", wire.queryParameters) {
            try QueryParameterMatcher($0, reader)
        }
        if wire.hasTlsContext {
            tls = TLSContextMatch(
                presented: wire.tlsContext.hasPresented ? wire.tlsContext.presented.value : nil,
                validated: wire.tlsContext.hasValidated ? wire.tlsContext.validated.value : nil)
        }
        dynamicMetadata = try reader.map("dynamic_metadata", wire.dynamicMetadata) {
            try DynamicMetadataMatcher($0, reader)
        }
        grpcOnly = wire.hasGrpc
        if wire.hasRuntimeFraction { runtimeFraction = reader.runtime.fraction(wire.runtimeFraction) }
    }
}

extension Redirect {
    func wire() -> WireRoute.Redirect {
        var wire = WireRoute.Redirect()
        if httpsRedirect { wire.httpsRedirect = true }
        if let scheme { wire.schemeRedirect = scheme }
        wire.hostRedirect = host ?? ""
        wire.portRedirect = UInt32(port ?? 0)
        switch path {
        case .full(let text): wire.pathRedirect = text
        case .prefix(let text): wire.prefixRewrite = text
        case .regex(let pattern, let substitution):
            wire.regexRewrite.pattern.regex = pattern
            wire.regexRewrite.substitution = substitution
        case nil: break
        }
        switch status {
        case 302: wire.responseCode = .found
        case 303: wire.responseCode = .seeOther
        case 307: wire.responseCode = .temporaryRedirect
        case 308: wire.responseCode = .permanentRedirect
        default: wire.responseCode = .movedPermanently
        }
        wire.stripQuery = stripQuery
        return wire
    }

    init(_ wire: WireRoute.Redirect, _ reader: WireReader) throws {
        self.init()
        httpsRedirect = wire.httpsRedirect
        if case .schemeRedirect(let text) = wire.schemeRewriteSpecifier { scheme = text }
        host = wire.hostRedirect.isEmpty ? nil : wire.hostRedirect
        port = wire.portRedirect == 0 ? nil : try reader.port(wire.portRedirect)
        switch wire.pathRewriteSpecifier {
        case .pathRedirect(let text): path = .full(text)
        case .prefixRewrite(let text): path = .prefix(text)
        case .regexRewrite(let rewrite):
            path = .regex(pattern: rewrite.pattern.regex, substitution: rewrite.substitution)
        case nil: break
        }
        switch wire.responseCode {
        case .found: status = 302
        case .seeOther: status = 303
        case .temporaryRedirect: status = 307
        case .permanentRedirect: status = 308
        default: status = 301
        }
        stripQuery = wire.stripQuery
    }
}
