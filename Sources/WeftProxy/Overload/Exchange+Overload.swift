import Synchronization
import WeftHTTP
import WeftTransport

/// What overload protection does to requests. Only called while some measure is taken.
extension Exchange {
    /// Bytes of the request that are kept for filters and for another try.
    var heldBytes: Int { keepsBody ? bodyBytes : 0 }

    /// Answers the request, or has its connection end with it, as far as asked for.
    /// - Returns: Whether the request has been answered.
    func isShed() -> Bool {
        let overload = worker.overload
        if connection.version == .http2, overload.endsSession(worker.decisions.next()) { stream.closeAfterResponse() }
        if overload.disablesKeepAlive(worker.decisions.next()) {
            overload.keepAlivesDisabled.wrappingAdd(1, ordering: .relaxed)
            stream.closeAfterResponse()
        }
        guard overload.refusesRequest(worker.decisions.next()) else { return false }
        overload.requestsClosed.wrappingAdd(1, ordering: .relaxed)
        reply(.overloaded)
        return true
    }
}
