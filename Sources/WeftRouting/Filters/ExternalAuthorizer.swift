package import NIOCore
package import Synchronization
package import WeftHTTP
package import WeftIR

/// Counts of one authorization filter, for statistics. Thread-safe.
package final class AuthorizationCounts: Sendable {
    package let ok = Atomic<Int>(0)
    package let denied = Atomic<Int>(0)
    package let error = Atomic<Int>(0)
    package let disabled = Atomic<Int>(0)
    package let failureModeAllowed = Atomic<Int>(0)
    init() {}
}

/// An external authorization, compiled: what its service is asked, and what an answer means. Immutable but for its counts;
/// does no I/O.
package struct ExternalAuthorizer: Sendable {
    /// What an answer means.
    package enum Verdict: Sendable {
        case allow(Changes)
        case deny(Refusal)
        /// The service could not decide; `nil`: it could not even be asked.
        case failure(Refusal?)
    }
    /// What a permission changes.
    package struct Changes: Sendable {
        package var requestHeaders: [HeaderChange] = []
        package var removedHeaders: [String] = []
        package var responseHeaders: [HeaderChange] = []
        package var queryParameters: [(name: String, value: String)] = []
        package var removedParameters: [String] = []
        package var metadata: [String: DynamicValue] = [:]
        package init() {}
        /// Whether another route may match now.
        package var touchesRequest: Bool {
            !requestHeaders.isEmpty || !removedHeaders.isEmpty || !queryParameters.isEmpty
                || !removedParameters.isEmpty
        }
    }
    /// What the client gets.
    package struct Refusal: Sendable {
        /// `nil`: the filter's own for errors.
        package var status: UInt16?
        package var headers: [HeaderChange] = []
        package var body = ""
        package var metadata: [String: DynamicValue] = [:]
        package init(status: UInt16?) { self.status = status }
    }
    package let settings: ExternalAuthorization
    package let counts = AuthorizationCounts()
    package let selection: CompiledHeaderSelection
    private let http: CompiledHTTPService?
    private let rules: CompiledMutationRules?
    /// Which requests are asked about; `nil` is all.
    package let enabledMetadata: CompiledMetadataMatcher?
    /// What cannot be used, one sentence each.
    package let problems: [String]

    package init(_ settings: ExternalAuthorization) {
        self.settings = settings
        selection = CompiledHeaderSelection(settings.headers)
        if case .http(let service) = settings.service {
            http = CompiledHTTPService(service, settings)
        } else {
            http = nil
        }
        enabledMetadata = settings.enabledMetadata.map(CompiledMetadataMatcher.init)
        rules = settings.mutationRules.map(CompiledMutationRules.init)
        let broken = selection.isBroken ? ["a header pattern is not valid; no header is shown"] : []
        problems = (broken + (rules?.problems ?? [])).map { "external authorization: \($0)" }
    }

    /// The same with what a route says.
    package func with(_ route: ExternalAuthorization.CheckSettings) -> ExternalAuthorization {
        var own = settings
        if let service = route.service { own.service = service }
        if route.disablesBody { own.body = nil } else if let body = route.body { own.body = body }
        return own
    }

    /// The HTTP form of a question.
    /// - Parameter service: A route's own, or `nil` for the filter's.
    package func compiled(_ service: ExternalAuthorization.HTTPService?) -> CompiledHTTPService? {
        service.map { CompiledHTTPService($0, settings) } ?? http
    }

    /// Leaves out of a permission what it may not change.
    /// - Returns: `nil` when that makes the answer an error.
    package func screened(_ changes: Changes) -> Changes? {
        var result = changes
        let all = changes.requestHeaders + changes.responseHeaders
        if settings.validatesMutations, !all.allSatisfy(\.isValid) { return nil }
        result.responseHeaders = changes.responseHeaders.filter(\.isValid)
        result.requestHeaders = []
        for change in changes.requestHeaders where change.isValid {
            switch rules?.verdict(change.name) ?? .allowed {
            case .allowed: result.requestHeaders.append(change)
            case .ignored: break
            case .failure: return nil
            }
        }
        result.removedHeaders = []
        for name in changes.removedHeaders.map({ $0.lowercased() }) where !name.hasPrefix(":") && name != "host" {
            switch rules?.verdict(name, removes: true) ?? .allowed {
            case .allowed: result.removedHeaders.append(name)
            case .ignored: break
            case .failure: return nil
            }
        }
        return result
    }
}

/// An authorization service that speaks HTTP, compiled.
package struct CompiledHTTPService: Sendable {
    private let service: ExternalAuthorization.HTTPService
    private let allowed: [CompiledStringMatcher]
    private let disallowed: [CompiledStringMatcher]
    private let upstream: [CompiledStringMatcher]
    private let appended: [CompiledStringMatcher]
    private let client: [CompiledStringMatcher]
    private let success: [CompiledStringMatcher]
    private let metadata: [CompiledStringMatcher]

    init(_ service: ExternalAuthorization.HTTPService, _ settings: ExternalAuthorization) {
        self.service = service
        func compile(_ list: [StringMatcher]) -> [CompiledStringMatcher] { list.map(CompiledStringMatcher.init) }
        // What the question cannot do without.
        let always = [StringMatcher(.exact("authorization"))]
        allowed = compile(settings.headers.allowed + service.allowedHeaders + always)
        disallowed = compile(settings.headers.disallowed)
        upstream = compile(service.upstreamHeaders)
        appended = compile(service.appendedUpstreamHeaders)
        let basic = ["www-authenticate", "location"].map { StringMatcher(.exact($0)) }
        client = service.clientHeaders.isEmpty ? [] : compile(service.clientHeaders + basic)
        success = compile(service.clientHeadersOnSuccess)
        metadata = compile(service.metadataHeaders)
    }

    /// What the service is asked: the request's method and path, and the headers that it may see.
    /// - Parameters:
    ///   - body: As much of the body as it may see, and whether that is not all; `nil` when it sees none.
    ///   - expand: Replaces substitution operators in a configured value.
    package func question(
        _ head: RequestHead, body: (bytes: ByteBuffer, isPartial: Bool)?, expand: (String) -> String
    ) -> RequestHead {
        var headers = HeaderBlock()
        let names = HeaderFieldList.names(head.headers)
        for name in names where Self.matches(allowed, name) && !Self.matches(disallowed, name) {
            guard !Self.framing.contains(name), let value = head.headers.joined(HeaderName(name)) else { continue }
            headers.append(name: name, value: String(decoding: value, as: UTF8.self))
        }
        headers.set("content-length", String(body?.bytes.readableBytes ?? 0))
        if let body { headers.set("x-envoy-auth-partial-body", body.isPartial ? "true" : "false") }
        for field in service.headersToAdd {
            let value = expand(field.value)
            if !value.isEmpty, HeaderBlock.isField(field.name, value) { headers.append(name: field.name, value: value) }
        }
        return RequestHead(
            method: head.method, path: ByteBuffer(string: service.pathPrefix + head.pathString),
            authority: head.authority, headers: headers)
    }

    private static let framing: Set<String> = [
        "content-length", "transfer-encoding", "connection", "upgrade", "te", "x-envoy-auth-partial-body",
    ]

    private static func matches(_ matchers: [CompiledStringMatcher], _ name: String) -> Bool {
        matchers.contains { $0.matches(name) }
    }

    package func verdict(_ head: ResponseHead, body: String) -> ExternalAuthorizer.Verdict {
        if head.status >= 500 { return .failure(nil) }
        guard head.status == 200 else {
            var refusal = ExternalAuthorizer.Refusal(status: head.status)
            refusal.body = body
            refusal.metadata = found(head)
            for (name, value) in head.headers.fields.map({ ($0.name.lowercased(), $0.value) }) {
                guard !Self.framing.contains(name), name != "host", client.isEmpty || Self.matches(client, name) else {
                    continue
                }
                refusal.headers.append(HeaderChange(name, value, .add))
            }
            return .deny(refusal)
        }
        var changes = ExternalAuthorizer.Changes()
        for (name, value) in head.headers.fields.map({ ($0.name.lowercased(), $0.value) }) {
            if name == "x-envoy-auth-headers-to-remove" {
                changes.removedHeaders += value.split(separator: ",").map {
                    String($0.drop { $0 == " " }).lowercased()
                }
                continue
            }
            if Self.matches(upstream, name) { changes.requestHeaders.append(HeaderChange(name, value, .set)) }
            if Self.matches(appended, name) { changes.requestHeaders.append(HeaderChange(name, value, .add)) }
            if Self.matches(success, name) { changes.responseHeaders.append(HeaderChange(name, value, .add)) }
        }
        changes.metadata = found(head)
        return .allow(changes)
    }

    private func found(_ head: ResponseHead) -> [String: DynamicValue] {
        guard !metadata.isEmpty else { return [:] }
        var result: [String: DynamicValue] = [:]
        for (name, value) in head.headers.fields where Self.matches(metadata, name.lowercased()) {
            result[name.lowercased()] = .string(value)
        }
        return result
    }
}

/// Lists of header names.
package enum HeaderFieldList {
    /// Each name once, in lower case, in the order of their first fields.
    package static func names(_ headers: HeaderBlock) -> [String] {
        var seen: Set<String> = []
        return headers.fields.map { $0.name.lowercased() }.filter { seen.insert($0).inserted }
    }
}
