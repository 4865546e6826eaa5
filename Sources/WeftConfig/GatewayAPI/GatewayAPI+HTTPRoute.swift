extension GatewayAPI {
    /// Routes of HTTP requests (`HTTPRoute`).
    package struct HTTPRoute: IstioSpec {
        package static let group = GatewayAPI.group
        package static let kind = "HTTPRoute"
        package var parentRefs: [ParentReference]?
        package var hostnames: [String]?
        package var rules: [HTTPRule]?
    }

    package struct HTTPRule: Sendable, Hashable, Codable {
        package var name: String?
        package var matches: [HTTPMatch]?
        package var filters: [HTTPFilter]?
        package var backendRefs: [HTTPBackend]?
        package var timeouts: Timeouts?
        package var retry: Retry?

        package init() {}
    }

    /// `Exact` where nothing else is said.
    package struct ValueMatch: Sendable, Hashable, Codable {
        package var type: String?
        package var name: String
        package var value: String
    }

    package struct PathMatch: Sendable, Hashable, Codable {
        package var type: String?
        package var value: String?
    }

    package struct HTTPMatch: Sendable, Hashable, Codable {
        package var path: PathMatch?
        package var headers: [ValueMatch]?
        package var queryParams: [ValueMatch]?
        package var method: String?
    }

    package struct HTTPBackend: Sendable, Hashable, Codable {
        package var group: String?
        package var kind: String?
        package var namespace: String?
        package var name: String
        package var port: Int?
        package var weight: Int?
        package var filters: [HTTPFilter]?

        package var reference: BackendReference {
            BackendReference(group: group, kind: kind, namespace: namespace, name: name, port: port)
        }
    }

    package struct Timeouts: Sendable, Hashable, Codable {
        package var request: ProtoDuration?
        package var backendRequest: ProtoDuration?
    }

    package struct Retry: Sendable, Hashable, Codable {
        package var codes: [Int]?
        package var attempts: Int?
        package var backoff: ProtoDuration?
    }

    package struct HTTPFilter: Sendable, Hashable, Codable {
        package var type: String
        package var requestHeaderModifier: HeaderFilter?
        package var responseHeaderModifier: HeaderFilter?
        package var requestMirror: MirrorFilter?
        package var requestRedirect: RedirectFilter?
        package var urlRewrite: RewriteFilter?
        package var cors: CORSFilter?
        package var extensionRef: ObjectReference?
    }

    package struct Header: Sendable, Hashable, Codable {
        package var name: String
        package var value: String
    }

    package struct HeaderFilter: Sendable, Hashable, Codable {
        package var set: [Header]?
        package var add: [Header]?
        package var remove: [String]?
    }

    package struct MirrorFilter: Sendable, Hashable, Codable {
        package struct Fraction: Sendable, Hashable, Codable {
            package var numerator: Int
            package var denominator: Int?
        }
        package var backendRef: BackendReference
        package var percent: Int?
        package var fraction: Fraction?
    }

    package struct PathModifier: Sendable, Hashable, Codable {
        package var type: String
        package var replaceFullPath: String?
        package var replacePrefixMatch: String?
    }

    package struct RedirectFilter: Sendable, Hashable, Codable {
        package var scheme: String?
        package var hostname: String?
        package var path: PathModifier?
        package var port: Int?
        package var statusCode: Int?
    }

    package struct RewriteFilter: Sendable, Hashable, Codable {
        package var hostname: String?
        package var path: PathModifier?
    }

    package struct CORSFilter: Sendable, Hashable, Codable {
        package var allowOrigins: [String]?
        package var allowCredentials: Bool?
        package var allowMethods: [String]?
        package var allowHeaders: [String]?
        package var exposeHeaders: [String]?
        package var maxAge: Int?
    }
}
