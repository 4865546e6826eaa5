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
    package init(requestID: String) {
        let digits = requestID.utf8
        self = .notTraceable
        guard digits.count == 36 else { return }
        let digit = digits[digits.index(digits.startIndex, offsetBy: Self.place)]
        for reason in [.sampled, .serviceForced, .clientForced] as [TraceReason] where reason.digit == digit {
            self = reason
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

    /// - Parameters:
    ///   - requestID: Not a UUID: the request cannot be traced, as its decision could not travel.
    ///   - before: What the request id says, unless decisions are not taken from it.
    ///   - number: Random.
    package func reason(
        requestID: String, before: TraceReason, hasClientTraceID: Bool, isForced: Bool, number: UInt64
    ) -> TraceReason {
        var requestID = requestID
        let start = requestID.withUTF8 { id in
            id.count == 36 ? HexDigits.number(UnsafeRawBufferPointer(id)[..<8]) : nil
        }
        guard let start else { return .notTraceable }
        let share = start % 10_000
        var reason = before
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
