package import WeftIR

/// What a route or its virtual host says about a filter (`typed_per_filter_config`), compiled once. Immutable.
package enum CompiledRouteFilter: Sendable {
    case disabled
    case fault(FaultEngine)
    case cors(CORSEngine)
    case localRateLimit(LocalRateLimiter)
    /// Of the virtual host and of the route: both apply.
    case headerMutation(host: HeaderMutator?, route: HeaderMutator?)
    case buffer(BufferFilter)
    case jwt(JWTAuthentication.PerRoute)
    case compressor(CompressorOverrides)
    case statefulSession(SessionEngine)

    /// - Parameter filter: The most specific one; `nil` results for filters that are compiled elsewhere.
    init?(_ filter: PerRouteFilter, host: PerRouteFilter?, route: PerRouteFilter?) {
        switch filter {
        case .disabled: self = .disabled
        case .fault(let fault): self = .fault(FaultEngine(fault))
        case .cors(let policy): self = .cors(CORSEngine(policy))
        case .localRateLimit(let limit): self = .localRateLimit(LocalRateLimiter(limit))
        case .headerMutation:
            func mutator(_ filter: PerRouteFilter?) -> HeaderMutator? {
                if case .headerMutation(let steps)? = filter { HeaderMutator(steps) } else { nil }
            }
            self = .headerMutation(host: mutator(host), route: mutator(route))
        case .buffer(let buffer): self = .buffer(buffer)
        case .jwt(let need): self = .jwt(need)
        case .compressor(let overrides): self = .compressor(overrides)
        case .statefulSession(let session): self = .statefulSession(SessionEngine(session))
        case .rbac: return nil
        }
    }
}
