import NIOCore
import WeftCore
import WeftHTTP
import WeftIR
import WeftMetrics
import WeftRouting

/// What is counted of one gRPC call: for the filters that ask, and for Istio's metrics. Loop-confined.
final class GRPCCall {
    /// Where a filter counts.
    struct Count {
        let block: CounterBlock
        let timesUpstream: Bool
    }
    private(set) var requests = GRPCMessageCount()
    private(set) var responses = GRPCMessageCount()
    private var answersGRPC = false
    private var counts: [Count] = []
    /// Access logs are told the numbers of messages.
    var tellsCounts = false
    /// Messages that Istio's metrics know of.
    private var reported: (requests: UInt64, responses: UInt64) = (0, 0)
    /// When they are told of more, should the call last that long; `nil` is never.
    private(set) var nextReport: NIODeadline?

    /// As the filter state of Envoy reads; `nil` as long as no message has come.
    func filterState(_ style: FormatOperator.FilterStateStyle) -> FormatValue {
        guard tellsCounts, requests.count > 0 || responses.count > 0 else { return .none }
        switch style {
        case .plain: return .text("\(requests.count),\(responses.count)")
        // Numbers of 64 bits are texts in the JSON of protobuf, and what is 0 is left out.
        case .typed:
            let counts = [("request_message_count", requests.count), ("response_message_count", responses.count)]
            let told = counts.filter { $0.1 > 0 }.map { ($0.0, JSONValue.string(String($0.1))) }
            return .json(.object(Dictionary(uniqueKeysWithValues: told)))
        }
    }

    func add(_ count: Count) { counts.append(count) }

    func add(request bytes: ByteBuffer) {
        let new = requests.add(bytes)
        if new > 0 { add(.requestMessages, Int(new)) }
    }

    func began(_ response: ResponseHead, endStream: Bool) {
        answersGRPC = !endStream && response.status == 200 && response.headers.isGRPC
    }

    func add(response bytes: ByteBuffer) {
        guard answersGRPC else { return }
        let new = responses.add(bytes)
        if new > 0 { add(.responseMessages, Int(new)) }
    }

    private func add(_ counter: GRPCCounter, _ amount: Int = 1) {
        for count in counts { count.block.add(counter, amount) }
    }

    /// The call is over.
    /// - Parameters:
    ///   - status: `grpc-status`; `nil` when none came, which counts as nothing.
    ///   - upstreamMilliseconds: From the end of the request to that of the response.
    func end(status: String?, upstreamMilliseconds: UInt64?) {
        guard let status else { return }
        if let code = UInt8(status), let counter = GRPCCounter(status: code) { add(counter) }
        add(UInt8(status) == 0 ? .success : .failure)
        add(.total)
        guard let upstreamMilliseconds else { return }
        for count in counts where count.timesUpstream { count.block.times?.observe(upstreamMilliseconds) }
    }

    // MARK: Istio's metrics

    /// Proxies of Istio tell of messages every five seconds, and at the end.
    func reportEveryFiveSeconds(from now: NIODeadline) { nextReport = now + .seconds(5) }

    /// What has come since the last time.
    func unreported() -> (requests: UInt64, responses: UInt64) {
        let new = (requests.count - reported.requests, responses.count - reported.responses)
        reported = (requests.count, responses.count)
        return new
    }
}

extension Exchange {
    private func keptCall() -> GRPCCall {
        let state = keptState()
        if let call = state.grpcCall { return call }
        let call = GRPCCall()
        state.grpcCall = call
        return call
    }

    /// The filter `envoy.filters.http.grpc_stats`.
    func countCall(_ stats: GRPCStats, _ name: String) {
        if case .disabled? = routeFilter(name) { return }
        guard head.isGRPC else { return }
        let call = keptCall()
        if stats.tellsCounts { call.tellsCounts = true }
        if let block = counters(stats) { call.add(.init(block: block, timesUpstream: stats.timesUpstream)) }
        countWhatCame(call)
    }

    func countMessagesForMetrics() {
        guard connection.manager.stats != nil else { return }
        let call = keptCall()
        call.reportEveryFiveSeconds(from: record.started)
        beSwept()
        countWhatCame(call)
    }

    /// A filter before this one may have waited for the body.
    private func countWhatCame(_ call: GRPCCall) {
        guard call.requests.count == 0 else { return }
        for piece in body { call.add(request: piece) }
    }

    private func counters(_ stats: GRPCStats) -> CounterBlock? {
        guard case .forward(let action)? = resolveRoute()?.route.action else { return nil }
        let cluster = intendedCluster(action)
        guard worker.cluster(cluster) != nil else { return nil }
        let parts = head.target.prefix { $0 != "?" }.split(separator: "/")
        // What names no method is not counted at all.
        guard parts.count == 2 else { return nil }
        let (service, method) = (String(parts[0]), String(parts[1]))
        switch stats.methods {
        case .all:
            let name = stats.replacesDots ? service.replacing(".", with: "_") : service
            return worker.metrics.counters.grpc(cluster, service: name, method: method)
        case .listed(let services) where services[service]?.contains(method) == true:
            return worker.metrics.counters.grpc(cluster, service: service, method: method)
        case .listed, .none: return worker.metrics.counters.grpc(cluster)
        }
    }

    func endFilters(_ state: FilterState) {
        if let call = state.grpcCall {
            let waited = (NIODeadline.now() - completedAt).nanoseconds / 1_000_000
            let answered = responseStarted && requestEnded
            call.end(status: record.grpcStatus, upstreamMilliseconds: answered ? UInt64(clamping: waited) : nil)
        }
        state.end()
    }

    /// Long calls are told of while they last.
    func report(_ call: GRPCCall, now: NIODeadline) {
        guard let next = call.nextReport, now >= next else { return }
        call.reportEveryFiveSeconds(from: now)
        worker.metrics.report(call, of: self)
    }
}
