/// The version that every executable reports.
package enum WeftVersion {
    package static let current = "0.1.0"
    /// The Istio release whose API the control plane serves; tools that ask `istiod` for its version expect Istio's scheme.
    package static let istioCompatibility = "1.31.0"
}
