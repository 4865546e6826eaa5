import WeftHTTP
package import WeftIR

/// Why a request is traced, or that it is not. Travels in the request id: the digit at place 14 of the UUID.
package enum TraceReason: Sendable, Hashable, CaseIterable {
    case notTraceable
    /// Chosen at random.
    case sampled
    /// `x-envoy-force-trace`.
    case serviceForced
    /// `x-client-trace-id`.
    case clientForced

    private static let place = 14

    private var digit: UInt8 {
        switch self {
        case .notTraceable: UInt8(ascii: "4")
        case .sampled: UInt8(ascii: "9")
        case .serviceForced: UInt8(ascii: "a")
        case .clientForced: UInt8(ascii: "b")
        }
    }

    /// What a request id says; ids that are no UUIDs say nothing.
    init(_ requestID: UnsafeRawBufferPointer) {
        guard requestID.count == 36 else {
            self = .notTraceable
            return
        }
        self =
            switch requestID[Self.place] {
            case UInt8(ascii: "9"): .sampled
            case UInt8(ascii: "a"): .serviceForced
            case UInt8(ascii: "b"): .clientForced
            default: .notTraceable
            }
    }

    /// The request id with this reason in it; an id that is no UUID stays as it is.
    package func written(into requestID: String) -> String {
        guard requestID.utf8.count == 36 else { return requestID }
        var requestID = requestID
        return String(unsafeUninitializedCapacity: 36) { space in
            _ = requestID.withUTF8 { space.initialize(fromContentsOf: $0) }
            space[Self.place] = digit
            return 36
        }
    }
}

/// What tracing takes of a request id.
package struct TraceableID: Sendable {
    /// What was decided before.
    package let reason: TraceReason
    /// The number that the decision is made by; `nil` for ids that are no UUIDs, as a decision could not travel in them.
    let number: UInt64?

    package init(_ requestID: UnsafeRawBufferPointer) {
        reason = TraceReason(requestID)
        number = requestID.count == 36 ? HexDigits.number(requestID[..<8]) : nil
    }

    package init(_ requestID: String) {
        var requestID = requestID
        self = requestID.withUTF8 { TraceableID(UnsafeRawBufferPointer($0)) }
    }
}

/// Decides whether a request is traced, as Envoy's connection manager does (`mutateTracingRequestHeader`). Pure.
package struct TraceDecision: Sendable {
    /// Shares in parts of a million.
    private let client: UInt64
    private let random: UInt64
    private let overall: UInt64

    package init(_ tracing: Tracing) {
        func parts(_ percent: Double) -> UInt64 { UInt64((max(0, min(100, percent)) * 10_000).rounded()) }
        client = parts(tracing.clientSampling)
        random = parts(tracing.randomSampling)
        // Envoy reads this share in whole percents.
        overall = parts(tracing.overallSampling.rounded(.down))
    }

    package init(_ tracing: RouteTracing) {
        client = UInt64(tracing.clientSampling.partsPerMillion)
        random = UInt64(tracing.randomSampling.partsPerMillion)
        overall = UInt64(tracing.overallSampling.partsPerMillion)
    }

    /// - Parameter number: Random.
    package func reason(
        _ id: TraceableID, hasClientTraceID: Bool, isForced: Bool, number: UInt64
    ) -> TraceReason {
        guard let start = id.number else { return .notTraceable }
        let share = start % 10_000
        var reason = id.reason
        if reason == .notTraceable {
            if hasClientTraceID, number % 1_000_000 < client {
                reason = .clientForced
            } else if isForced {
                reason = .serviceForced
            } else if share * 100 < random {
                reason = .sampled
            }
        }
        if reason != .notTraceable, (share % 100) * 10_000 >= overall { reason = .notTraceable }
        return reason
    }
}
