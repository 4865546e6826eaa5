import NIOCore
import WeftHTTP
import WeftMetrics
import WeftTransport

/// What an exchange adds to its connection manager's counters.
extension Exchange {
    func countStart() {
        let counters = connection.counters
        counters.add(HTTPCounter.requests)
        counters.add(HTTPCounter.activeRequests)
        counters.add(connection.version == .http2 ? HTTPCounter.http2Requests : .http1Requests)
    }

    /// - Parameter now: When the exchange ended.
    func countEnd(now: NIODeadline) {
        let counters = connection.counters
        counters.add(HTTPCounter.activeRequests, -1)
        if record.status > 0 {
            counters.add(HTTPCounter.completed)
            if let counter = HTTPCounter(statusClass: record.status) { counters.add(counter) }
        }
        counters.times?.observe(UInt64(clamping: (now - record.started).nanoseconds / 1_000_000))
        if record.flag != "-" { countFlag(counters) }
    }

    private func countFlag(_ counters: CounterBlock) {
        switch record.flag {
        case "NR": counters.add(HTTPCounter.noRoute)
        case "NC": counters.add(HTTPCounter.noCluster)
        case "DC", "DR": counters.add(HTTPCounter.clientResets)
        case "SI": counters.add(HTTPCounter.idleTimeouts)
        case "UC" where responseStarted: counters.add(HTTPCounter.resetAfterResponse)
        default: break
        }
    }
}
