import Testing
import WeftHTTP
import WeftIR

@testable import WeftRouting

/// Trace context between processes, and the decision to trace.
struct TraceTests {
    private func headers(_ fields: (String, String)...) -> HeaderBlock { HeaderBlock(fields) }

    @Test func w3cComesAndGoes() throws {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let context = try #require(
            TraceContext(w3c: headers(("traceparent", parent), ("tracestate", "a=1"), ("tracestate", "b=2"))))
        #expect(context.isSampled)
        #expect(context.longTraceIDText == "0af7651916cd43dd8448eb211c80319c")
        #expect(context.spanIDText == "b7ad6b7169203331")
        var random = RandomStream()
        let child = context.child(&random)
        var out = HeaderBlock()
        child.writeW3C(to: &out)
        #expect(out.first("traceparent") == "00-0af7651916cd43dd8448eb211c80319c-\(child.spanIDText)-01")
        #expect(out.first("tracestate") == "a=1,b=2")
        #expect(child.parentID == context.spanID)
    }

    /// W3C Trace Context section 3.2.2: what is malformed starts a new trace.
    @Test(arguments: [
        "", "00", "00-0-0-0", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
    ])
    func badTraceparentIsNone(_ text: String) { #expect(TraceContext(w3c: headers(("traceparent", text))) == nil) }

    @Test func laterW3CVersionsMayHaveMore() {
        let text = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more"
        #expect(TraceContext(w3c: headers(("traceparent", text)))?.isSampled == false)
    }

    @Test func b3ComesInBothForms() throws {
        let several = try #require(
            TraceContext(
                b3: headers(
                    ("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7"), ("x-b3-spanid", "e457b5a2e4d86bd1"),
                    ("x-b3-parentspanid", "05e3ac9a4f6e3b90"), ("x-b3-sampled", "0"))))
        let single = try #require(
            TraceContext(
                b3: headers(("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-0-05e3ac9a4f6e3b90"))))
        #expect(several == single)
        #expect(!several.isSampled && several.isDecided)
        var out = headers(("b3", "0"))
        several.writeB3(to: &out)
        #expect(out.first("x-b3-parentspanid") == "05e3ac9a4f6e3b90" && out.first("x-b3-sampled") == "0")
        #expect(!out.contains("b3"))
        let undecided = TraceContext(
            b3: headers(("x-b3-traceid", "463ac35c9f6413ad"), ("x-b3-spanid", "a2fb4a1d1a96d312")))
        #expect(undecided?.isDecided == false && undecided?.traceIDText == "463ac35c9f6413ad")
    }

    @Test(arguments: ["", "x", "0", "80f198ee56343ba8", "z0f198ee56343ba8-e457b5a2e4d86bd1", "0-0-1"])
    func badB3IsNone(_ text: String) { #expect(TraceContext(b3: headers(("b3", text))) == nil) }

    @Test func b3DecidesWithoutASpan() {
        #expect(TraceContext.b3Decision(headers(("b3", "0"))) == false)
        #expect(TraceContext.b3Decision(headers(("x-b3-sampled", "1"))) == true)
        #expect(TraceContext.b3Decision(headers(("x-b3-flags", "1"), ("x-b3-sampled", "0"))) == true)
        #expect(TraceContext.b3Decision(headers()) == nil)
    }

    @Test func reasonsTravelInTheRequestID() {
        let id = "0000000a-1111-4222-8333-444444444444"
        for reason in TraceReason.allCases {
            #expect(TraceableID(reason.written(into: id)).reason == reason)
        }
        #expect(TraceReason.sampled.written(into: "no-uuid") == "no-uuid")
    }

    @Test func newTracesAndSpansHaveIdsOfTheirOwn() {
        var random = RandomStream(seed: 1)
        let first = TraceContext(random: &random, isSampled: true)
        let short = TraceContext(random: &random, isSampled: false, has128Bits: false)
        let child = first.child(&random)
        #expect(short.traceHigh == 0 && short.traceLow != first.traceLow && !short.isSampled)
        #expect(child.traceIDText == first.traceIDText && child.parentID == first.spanID && child.isSampled)
        #expect(Set([first.spanID, short.spanID, child.spanID, 0]).count == 4)
    }

    private func decide(
        _ id: String, random: Double = 0, overall: Double = 100, client: Double = 100, forced: Bool = false,
        clientID: Bool = false
    ) -> TraceReason {
        var tracing = Tracing()
        tracing.clientSampling = client
        tracing.randomSampling = random
        tracing.overallSampling = overall
        return TraceDecision(tracing).reason(
            TraceableID(id), hasClientTraceID: clientID, isForced: forced, number: 7)
    }

    /// As Envoy's connection manager: the number of the request id decides, so every proxy on the way agrees.
    @Test func decidesByRequestID() {
        let rest = "-1111-4222-8333-444444444444"
        // 10 of 10,000 is 0.1 %.
        #expect(decide("00000009" + rest, random: 0.1) == .sampled)
        #expect(decide("0000000a" + rest, random: 0.1) == .notTraceable)
        #expect(decide("00002710" + rest, random: 0.01) == .sampled, "10,000 counts as 0")
        #expect(decide("0000000a" + rest, forced: true) == .serviceForced)
        #expect(decide("0000000a" + rest, clientID: true) == .clientForced)
        #expect(decide("0000000a" + rest, client: 0, clientID: true) == .notTraceable)
        #expect(decide("0000000a" + rest, overall: 10, forced: true) == .notTraceable)
        #expect(decide("0000000a" + rest, overall: 11, forced: true) == .serviceForced)
        #expect(decide("0000000a-1111-9222-8333-444444444444") == .sampled, "decided before")
        #expect(decide("no uuid", random: 100) == .notTraceable)
    }
}
