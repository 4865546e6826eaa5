import Hummingbird
import Logging
import NIOCore
import WeftAdmin
import WeftAnalysis
import WeftConfig
import WeftCore
import WeftInject

/// `/inject` and `/validate`, which the API server calls.
struct WebhookRoutes: Sendable {
    let settings: @Sendable () -> InjectionSettings
    let namespaceLabels: @Sendable (String) -> [String: String]?
    let metrics: ControlPlaneMetrics
    let logger: Logger
    /// Objects above this are refused; the API server's own limit is lower.
    private static let maximumBody = 8 << 20

    func add(to router: Router<BasicRequestContext>) {
        router.post("inject") { request, _ in try await respond(to: request) { inject($0) } }
        router.post("inject/tag/:tag") { request, context in
            let tag = try context.parameters.require("tag")
            return try await respond(to: request) { inject($0, tag: tag) }
        }
        router.post("validate") { request, _ in try await respond(to: request, validate) }
    }

    private func respond(to request: Request, _ answer: (JSONValue) -> JSONValue) async throws -> Response {
        let body = try await request.body.collect(upTo: Self.maximumBody)
        do {
            let review = try JSONValue(parsing: body.readableBytesView)
            return AdminRoutes.json(answer(review).serialized())
        } catch {
            return AdminRoutes.text("the body is no AdmissionReview: \(error)\n", status: .badRequest)
        }
    }

    /// - Parameter tag: The name by which the pod's namespace chose this revision.
    private func inject(_ review: JSONValue, tag: String? = nil) -> JSONValue {
        metrics.count("sidecar_injection_requests_total")
        let namespace = review[path: "request", "namespace"]?.stringValue ?? ""
        var settings = settings()
        settings.tag = tag
        let (answer, outcome) = InjectionWebhook(settings: settings).review(
            review, namespaceLabels: namespaceLabels(namespace))
        switch outcome {
        case .injected(let pod):
            metrics.count("sidecar_injection_success_total")
            logger.info("sidecar put into \(pod)")
        case .skipped(let pod, let reason):
            metrics.count("sidecar_injection_skip_total")
            logger.debug("no sidecar for \(pod): \(reason)")
        case .refused(let pod, let reason):
            metrics.count("sidecar_injection_failure_total")
            logger.warning("pod \(pod) refused: \(reason)")
        case .malformed(let message):
            metrics.count("sidecar_injection_failure_total")
            logger.warning("injection asked for with a bad review: \(message)")
        }
        return answer
    }

    private func validate(_ review: JSONValue) -> JSONValue {
        let (answer, allowed) = ValidationReview.answer(review) { Admission.review($0) }
        metrics.count(allowed ? "galley_validation_passed" : "galley_validation_failed")
        if !allowed {
            let request = review["request"]
            let object = KubernetesObject(request?["object"] ?? .null)
            let reason = answer[path: "response", "status", "message"]?.stringValue ?? ""
            logger.warning("\(object.reference) refused: \(reason)")
        }
        return answer
    }
}
