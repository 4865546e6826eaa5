package import WeftIR

/// What a route, its virtual host or its table says about a filter (`typed_per_filter_config`), compiled once. Immutable.
package enum CompiledRouteFilter: Sendable {
    case disabled
    case fault(FaultEngine)
    case cors(CORSEngine)
    case localRateLimit(LocalRateLimiter)
    /// Of table, virtual host and route, as far as they have some: all apply.
    case headerMutation([HeaderMutator])
    case buffer(BufferFilter)
    case jwt(JWTAuthentication.PerRoute)
    /// Context extensions are those of all levels together.
    case externalAuthorization(ExternalAuthorization.CheckSettings)
    case globalRateLimit(GlobalRateLimit.PerRoute, CompiledRateLimitRules)
    case externalProcessing(ExternalProcessing.Overrides)
    case compressor(CompressorOverrides)
    case statefulSession(SessionEngine)

    /// - Parameters:
    ///   - filter: The most specific one; `nil` results for filters that are compiled elsewhere.
    ///   - levels: All of them, the most general first.
    init?(_ filter: PerRouteFilter, levels: [PerRouteFilter]) {
        switch filter {
        case .disabled: self = .disabled
        case .fault(let fault): self = .fault(FaultEngine(fault))
        case .cors(let policy): self = .cors(CORSEngine(policy))
        case .localRateLimit(let limit): self = .localRateLimit(LocalRateLimiter(limit))
        case .headerMutation:
            self = .headerMutation(
                levels.compactMap { level in
                    if case .headerMutation(let steps) = level { HeaderMutator(steps) } else { nil }
                })
        case .buffer(let buffer): self = .buffer(buffer)
        case .jwt(let need): self = .jwt(need)
        case .externalAuthorization(var settings):
            var extensions: [String: String] = [:]
            for case .externalAuthorization(let level) in levels {
                extensions.merge(level.contextExtensions) { $1 }
            }
            settings.contextExtensions = extensions
            self = .externalAuthorization(settings)
        case .globalRateLimit(let limit): self = .globalRateLimit(limit, CompiledRateLimitRules(limit.rules))
        case .externalProcessing(let overrides): self = .externalProcessing(overrides)
        case .compressor(let overrides): self = .compressor(overrides)
        case .statefulSession(let session): self = .statefulSession(SessionEngine(session))
        case .rbac: return nil
        }
    }
}
