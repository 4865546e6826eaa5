/// A condition on the head of a response (`envoy.config.common.matcher.v3.MatchPredicate`).
package indirect enum ResponseCondition: Sendable, Hashable, Codable {
    /// Every response.
    case any
    case and([ResponseCondition])
    case or([ResponseCondition])
    case not(ResponseCondition)
    /// All of these hold; the status is the header `:status`.
    case headers([HeaderMatcher])
}
