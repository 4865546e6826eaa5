import Synchronization
package import WeftHTTP
package import WeftIR

/// Faults to inject, compiled (`envoy.extensions.filters.http.fault.v3.HTTPFault`).
///
/// Immutable but for ``active``, the count of requests that a fault holds or has changed, which all workers share.
package final class FaultEngine: Sendable {
    package let fault: Fault
    private let headers: [CompiledHeaderMatcher]
    private let active = Atomic<Int>(0)

    /// What happens to one request.
    package struct Injection: Sendable, Hashable {
        package var delayMilliseconds: UInt64?
        package var abort: Abort?
        package var isEmpty: Bool { delayMilliseconds == nil && abort == nil }
    }
    package enum Abort: Sendable, Hashable {
        case http(status: UInt16)
        case grpc(status: UInt32)
    }

    package init(_ fault: Fault) {
        self.fault = fault
        headers = fault.headers.map(CompiledHeaderMatcher.init)
    }

    private static var delay: HeaderName { "x-envoy-fault-delay-request" }
    private static var delayPercentage: HeaderName { "x-envoy-fault-delay-request-percentage" }
    private static var abort: HeaderName { "x-envoy-fault-abort-request" }
    private static var grpcAbort: HeaderName { "x-envoy-fault-abort-grpc-request" }
    private static var abortPercentage: HeaderName { "x-envoy-fault-abort-request-percentage" }

    /// - Parameters:
    ///   - cluster: Where the route leads.
    ///   - draw: A random number below a million, for each question anew.
    /// - Returns: Empty when nothing is to happen. Otherwise the caller owes one ``release()``.
    package func decide(_ head: RequestHead, cluster: String, draw: () -> UInt32) -> Injection {
        var result = Injection()
        guard fault.upstreamCluster.isEmpty || fault.upstreamCluster == cluster,
            !headers.contains(where: { $0.isBroken }), headers.allSatisfy({ $0.matches(head) })
        else { return result }
        if let span = delayMilliseconds(head),
            draw() < share(fault.delayPercentage, Self.delayPercentage, fault.delayFromHeader, head)
        {
            result.delayMilliseconds = span
        }
        if let abort = abort(head), draw() < share(fault.abortPercentage, Self.abortPercentage, isHeaderAbort, head) {
            result.abort = abort
        }
        guard !result.isEmpty else { return result }
        let count = active.wrappingAdd(1, ordering: .relaxed).newValue
        if let most = fault.maxActiveFaults, count > Int(most) {
            release()
            return Injection()
        }
        return result
    }

    /// The request that was injected a fault is over.
    package func release() { active.wrappingSubtract(1, ordering: .relaxed) }

    private var isHeaderAbort: Bool { if case .header? = fault.abort { true } else { false } }

    private func delayMilliseconds(_ head: RequestHead) -> UInt64? {
        guard fault.delayFromHeader else { return fault.delayMilliseconds }
        return head.headers[Self.delay].flatMap(ASCII.decimal)
    }

    private func abort(_ head: RequestHead) -> Abort? {
        switch fault.abort {
        case nil: return nil
        case .http(let status)?: return .http(status: status)
        case .grpc(let status)?: return .grpc(status: status)
        case .header?:
            if let status = head.headers[Self.abort].flatMap(ASCII.decimal), (200...599).contains(status) {
                return .http(status: UInt16(status))
            }
            return head.headers[Self.grpcAbort].flatMap(ASCII.decimal).flatMap(UInt32.init(exactly:)).map {
                .grpc(status: $0)
            }
        }
    }

    /// Parts per million. A request may ask for less than the configured share, never for more.
    private func share(
        _ configured: FractionalPercent, _ name: HeaderName, _ fromHeader: Bool, _ head: RequestHead
    ) -> UInt32 {
        guard fromHeader, let wanted = head.headers[name].flatMap(ASCII.decimal) else {
            return configured.partsPerMillion
        }
        return UInt32(min(UInt64(configured.partsPerMillion), min(wanted, 100) * 10_000))
    }
}
