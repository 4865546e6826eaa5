package import WeftCore

/// The `spec` of a VirtualService: how requests to `hosts` are routed.
package struct VirtualService: IstioSpec {
    package static let group = "networking.istio.io"
    package static let kind = "VirtualService"
    package var hosts: [String]?
    package var gateways: [String]?
    package var http: [HTTPRoute]?
    package var tls: [TLSRoute]?
    package var tcp: [TCPRoute]?
    package var exportTo: [String]?
}

extension VirtualService {
    package struct HTTPRoute: Sendable, Hashable, Codable {
        package var name: String?
        package var match: [HTTPMatch]?
        package var route: [HTTPDestination]?
        package var redirect: HTTPRedirect?
        package var directResponse: DirectResponse?
        package var delegate: Delegate?
        package var rewrite: HTTPRewrite?
        package var timeout: ProtoDuration?
        package var retries: HTTPRetry?
        package var fault: FaultInjection?
        package var mirror: Destination?
        package var mirrorPercentage: Percent?
        package var mirrorPercent: Int?
        /// The same field by the name that it has in protobuf, which Istio takes too.
        package var mirrorPercentByProtoName: Int?
        package var mirrors: [MirrorPolicy]?
        package var corsPolicy: CorsPolicy?
        package var headers: HeaderOperations?
        /// Where the route was written, if a delegate gave it: not a field of the API.
        package var origin: Origin?

        enum CodingKeys: String, CodingKey {
            case name, match, route, redirect, directResponse, delegate, rewrite, timeout, retries, fault, mirror
            case mirrorPercentage, mirrorPercent, mirrors, corsPolicy, headers
            case mirrorPercentByProtoName = "mirror_percent"
        }
    }
    /// A rule of an object.
    package struct Origin: Sendable, Hashable {
        package var resource: ResourceReference
        /// Index in `spec.http`.
        package var index: Int
        package init(resource: ResourceReference, index: Int) {
            self.resource = resource
            self.index = index
        }
    }
    package struct HTTPMatch: Sendable, Hashable, Codable {
        package var name: String?
        package var uri: StringMatch?
        package var scheme: StringMatch?
        package var method: StringMatch?
        package var authority: StringMatch?
        package var headers: [String: StringMatch]?
        package var withoutHeaders: [String: StringMatch]?
        package var queryParams: [String: StringMatch]?
        package var port: Int?
        package var sourceLabels: [String: String]?
        package var sourceNamespace: String?
        package var gateways: [String]?
        package var ignoreUriCase: Bool?
        package var statPrefix: String?
    }
    package struct HTTPDestination: Sendable, Hashable, Codable {
        package var destination: Destination?
        package var weight: Int?
        package var headers: HeaderOperations?
    }
    package struct HTTPRedirect: Sendable, Hashable, Codable {
        package enum DerivePort: String, Sendable, Hashable, Codable, CaseIterable {
            case fromProtocolDefault = "FROM_PROTOCOL_DEFAULT"
            case fromRequestPort = "FROM_REQUEST_PORT"
        }
        package var uri: String?
        package var prefixRewrite: String?
        package var authority: String?
        package var port: Int?
        package var derivePort: DerivePort?
        package var scheme: String?
        package var redirectCode: Int?
    }
    package struct DirectResponse: Sendable, Hashable, Codable {
        package struct Body: Sendable, Hashable, Codable {
            package var string: String?
            /// Base64.
            package var bytes: String?
        }
        package var status: Int?
        package var body: Body?
    }
    package struct Delegate: Sendable, Hashable, Codable {
        package var name: String?
        package var namespace: String?
    }
    package struct HTTPRewrite: Sendable, Hashable, Codable {
        package struct RegexRewrite: Sendable, Hashable, Codable {
            package var match: String?
            package var rewrite: String?
        }
        package var uri: String?
        package var authority: String?
        package var uriRegexRewrite: RegexRewrite?
    }
    package struct HTTPRetry: Sendable, Hashable, Codable {
        package var attempts: Int?
        package var perTryTimeout: ProtoDuration?
        package var retryOn: String?
        package var retryRemoteLocalities: Bool?
        package var retryIgnorePreviousHosts: Bool?
        package var backoff: ProtoDuration?
    }
    package struct FaultInjection: Sendable, Hashable, Codable {
        package struct Delay: Sendable, Hashable, Codable {
            package var percentage: Percent?
            package var percent: Int?
            package var fixedDelay: ProtoDuration?
            package var exponentialDelay: ProtoDuration?
        }
        package struct Abort: Sendable, Hashable, Codable {
            package var percentage: Percent?
            package var httpStatus: Int?
            package var grpcStatus: String?
            package var http2Error: String?
        }
        package var delay: Delay?
        package var abort: Abort?
    }
    package struct MirrorPolicy: Sendable, Hashable, Codable {
        package var destination: Destination?
        package var percentage: Percent?
    }
    package struct CorsPolicy: Sendable, Hashable, Codable {
        package enum UnmatchedPreflights: String, Sendable, Hashable, Codable, CaseIterable {
            case unspecified = "UNSPECIFIED"
            case forward = "FORWARD"
            case ignore = "IGNORE"
        }
        package var allowOrigins: [StringMatch]?
        package var allowOrigin: [String]?
        package var allowMethods: [String]?
        package var allowHeaders: [String]?
        package var exposeHeaders: [String]?
        package var maxAge: ProtoDuration?
        package var allowCredentials: Bool?
        package var unmatchedPreflights: UnmatchedPreflights?
    }
    package struct HeaderOperations: Sendable, Hashable, Codable {
        package struct Changes: Sendable, Hashable, Codable {
            package var set: [String: String]?
            package var add: [String: String]?
            package var remove: [String]?
        }
        package var request: Changes?
        package var response: Changes?
    }
    package struct RouteDestination: Sendable, Hashable, Codable {
        package var destination: Destination?
        package var weight: Int?
    }
    package struct TLSRoute: Sendable, Hashable, Codable {
        package struct Match: Sendable, Hashable, Codable {
            package var sniHosts: [String]?
            package var destinationSubnets: [String]?
            package var port: Int?
            package var sourceLabels: [String: String]?
            package var gateways: [String]?
            package var sourceNamespace: String?
        }
        package var match: [Match]?
        package var route: [RouteDestination]?
    }
    package struct TCPRoute: Sendable, Hashable, Codable {
        package struct Match: Sendable, Hashable, Codable {
            package var destinationSubnets: [String]?
            package var port: Int?
            package var sourceLabels: [String: String]?
            package var gateways: [String]?
            package var sourceNamespace: String?
            package var sourceSubnet: String?
        }
        package var match: [Match]?
        package var route: [RouteDestination]?
    }
}
