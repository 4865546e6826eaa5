/// The `spec` of a PeerAuthentication: which TLS a workload asks of its callers.
package struct PeerAuthentication: IstioSpec {
    package static let group = "security.istio.io"
    package static let kind = "PeerAuthentication"
    package enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
        case unset = "UNSET"
        case disable = "DISABLE"
        case permissive = "PERMISSIVE"
        case strict = "STRICT"
    }
    package struct MutualTLS: Sendable, Hashable, Codable {
        package var mode: Mode?
        package init(mode: Mode?) { self.mode = mode }
    }
    package var selector: WorkloadSelector?
    package var mtls: MutualTLS?
    /// Keyed by the workload's port.
    package var portLevelMtls: [String: MutualTLS]?
}

/// The `spec` of an AuthorizationPolicy: who may do what at a workload.
package struct AuthorizationPolicy: IstioSpec {
    package static let group = "security.istio.io"
    package static let kind = "AuthorizationPolicy"
    package enum Action: String, Sendable, Hashable, Codable, CaseIterable {
        case allow = "ALLOW"
        case deny = "DENY"
        case audit = "AUDIT"
        case custom = "CUSTOM"
    }
    package struct Provider: Sendable, Hashable, Codable { package var name: String? }
    package struct Rule: Sendable, Hashable, Codable {
        package var from: [From]?
        package var to: [To]?
        package var when: [Condition]?
        package init() {}
    }
    package struct From: Sendable, Hashable, Codable { package var source: Source? }
    package struct To: Sendable, Hashable, Codable { package var operation: Operation? }
    package struct Source: Sendable, Hashable, Codable {
        package var principals: [String]?
        package var notPrincipals: [String]?
        package var requestPrincipals: [String]?
        package var notRequestPrincipals: [String]?
        package var namespaces: [String]?
        package var notNamespaces: [String]?
        package var serviceAccounts: [String]?
        package var notServiceAccounts: [String]?
        package var trustDomains: [String]?
        package var notTrustDomains: [String]?
        package var ipBlocks: [String]?
        package var notIpBlocks: [String]?
        package var remoteIpBlocks: [String]?
        package var notRemoteIpBlocks: [String]?
        package init() {}
    }
    package struct Operation: Sendable, Hashable, Codable {
        package var hosts: [String]?
        package var notHosts: [String]?
        package var ports: [String]?
        package var notPorts: [String]?
        package var methods: [String]?
        package var notMethods: [String]?
        package var paths: [String]?
        package var notPaths: [String]?
        package init() {}
    }
    package struct Condition: Sendable, Hashable, Codable {
        package var key: String?
        package var values: [String]?
        package var notValues: [String]?
    }
    package var selector: WorkloadSelector?
    package var targetRef: PolicyTargetReference?
    package var targetRefs: [PolicyTargetReference]?
    package var action: Action?
    package var provider: Provider?
    package var rules: [Rule]?

    /// The annotation that says whether a policy is only tried out.
    package static let trialAnnotation = "istio.io/dry-run"

    /// What the annotation says, in the words that Istio takes (those of Go's `strconv.ParseBool`); `nil` for any other.
    package static func trial(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }
}

/// The `spec` of a RequestAuthentication: which end-user tokens a workload understands.
package struct RequestAuthentication: IstioSpec {
    package static let group = "security.istio.io"
    package static let kind = "RequestAuthentication"
    package struct Header: Sendable, Hashable, Codable {
        package var name: String?
        package var prefix: String?
    }
    package struct ClaimToHeader: Sendable, Hashable, Codable {
        package var header: String?
        package var claim: String?
    }
    package struct JWTRule: Sendable, Hashable, Codable {
        package var issuer: String?
        package var audiences: [String]?
        package var jwksUri: String?
        package var jwks: String?
        package var fromHeaders: [Header]?
        package var fromParams: [String]?
        package var fromCookies: [String]?
        package var outputPayloadToHeader: String?
        package var outputClaimToHeaders: [ClaimToHeader]?
        package var forwardOriginalToken: Bool?
        package var timeout: ProtoDuration?
        package var spaceDelimitedClaims: [String]?
        package init() {}
    }
    package var selector: WorkloadSelector?
    package var targetRef: PolicyTargetReference?
    package var targetRefs: [PolicyTargetReference]?
    package var jwtRules: [JWTRule]?
}
