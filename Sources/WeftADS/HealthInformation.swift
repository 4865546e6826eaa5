import Synchronization
import WeftProto
import WeftXDS

/// Whether the application before which a proxy stands is well, as Istio's agent tells it: a request on the discovery
/// stream with a type of its own, and with an error where the application is not.
package struct HealthInformation: Sendable, Hashable {
    static let typeURL = "type.googleapis.com/istio.v1.HealthInformation"
    /// `google.rpc.Code`: INTERNAL, as Istio's agent sends it.
    private static let errorCode: Int32 = 13

    /// What the probe met; `nil` for an application that is well.
    package var problem: String?

    package init(problem: String? = nil) { self.problem = problem }

    package var isHealthy: Bool { problem == nil }

    init?(_ request: some DiscoveryRequestMessage) {
        guard request.typeURL == Self.typeURL else { return nil }
        problem = request.refusal
    }

    var request: ClientSubscription.Request {
        var request = ClientSubscription.Request()
        request.typeURL = Self.typeURL
        if let problem {
            request.errorDetail.code = Self.errorCode
            request.errorDetail.message = problem
        }
        return request
    }

    var worldRequest: StateOfTheWorldAdapter.Request {
        var world = StateOfTheWorldAdapter.Request()
        world.typeURL = Self.typeURL
        if let problem {
            world.errorDetail.code = Self.errorCode
            world.errorDetail.message = problem
        }
        return world
    }
}

/// Brings what a proxy finds of its application to the control plane: each change, and what holds on every new stream.
/// Safe to use from anywhere.
package final class HealthReporter: Sendable {
    private struct State {
        var latest: HealthInformation?
        var send: (@Sendable (HealthInformation) -> Void)?
    }
    private let state = Mutex(State())

    package init() {}

    package func report(_ health: HealthInformation) {
        let send = state.withLock { state in
            state.latest = health
            return state.send
        }
        send?(health)
    }

    /// From now on, and until the next call, `send` takes what is reported, first of all what is known already.
    func follow(_ send: (@Sendable (HealthInformation) -> Void)?) {
        let latest = state.withLock { state in
            state.send = send
            return state.latest
        }
        if let latest { send?(latest) }
    }
}
