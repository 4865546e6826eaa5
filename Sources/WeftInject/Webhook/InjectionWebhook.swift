import FoundationEssentials
package import WeftCore

/// Answers the API server's `AdmissionReview` for new pods with a JSON Patch. Pure.
package struct InjectionWebhook: Sendable {
    /// What happened, for the log and the counters.
    package enum Outcome: Sendable, Hashable {
        case injected(pod: String)
        case skipped(pod: String, reason: String)
        case malformed(String)
        /// The pod asks for what we do not have; it is not made.
        case refused(pod: String, reason: String)
    }

    package var settings: InjectionSettings

    package init(settings: InjectionSettings) { self.settings = settings }

    /// - Parameter namespaceLabels: of the pod's namespace, when the caller knows them; `nil` trusts the webhook's selectors.
    package func review(_ review: JSONValue, namespaceLabels: [String: String]? = nil) -> (JSONValue, Outcome) {
        guard let request = review["request"], let uid = request["uid"]?.stringValue, let pod = request["object"],
            pod.objectValue != nil
        else {
            let message = "the AdmissionReview has no request with uid and object"
            return (
                response(["allowed": false, "status": ["code": 400, "message": .string(message)], "uid": ""]),
                .malformed(message)
            )
        }
        let namespace =
            request["namespace"]?.stringValue ?? pod[path: "metadata", "namespace"]?.stringValue ?? "default"
        let name =
            pod[path: "metadata", "name"]?.stringValue ?? pod[path: "metadata", "generateName"]?.stringValue
            ?? "unnamed"
        let title = "\(namespace)/\(name)"
        let decision = InjectionDecision(
            pod: pod, namespace: namespace, namespaceLabels: namespaceLabels, settings: settings)
        guard decision.inject else {
            return (response(["uid": .string(uid), "allowed": true]), .skipped(pod: title, reason: decision.reason))
        }
        let template: InjectionTemplate
        do throws(InjectionTemplate.Unknown) {
            template = try InjectionTemplate(of: pod)
        } catch {
            let status: JSONValue = ["code": 422, "message": .string("\(error)")]
            return (
                response(["uid": .string(uid), "allowed": false, "status": status]),
                .refused(pod: title, reason: "\(error)")
            )
        }
        let injected = InjectedPod(injecting: pod, as: template, namespace: namespace, settings: settings).pod
        let patch = JSONValue.array(JSONPatchDiff.operations(from: pod, to: injected))
        let answer: JSONValue = [
            "uid": .string(uid), "allowed": true, "patchType": "JSONPatch",
            "patch": .string(Data(patch.serialized()).base64EncodedString()),
        ]
        return (response(answer), .injected(pod: title))
    }

    private func response(_ response: JSONValue) -> JSONValue {
        ["apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response]
    }
}
