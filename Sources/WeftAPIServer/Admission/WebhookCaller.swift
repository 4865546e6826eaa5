import AsyncHTTPClient
import FoundationEssentials
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization
import WeftConfig
import WeftCore

/// What webhooks are asked about.
struct AdmissionRequest: Sendable {
    var info: ResourceInfo
    var resource: ResourceID
    var operation: String
    /// `null` for a deletion.
    var object: JSONValue
    var old: JSONValue?
    var options: WriteOptions

    var subject: JSONValue { object.isNull ? old ?? [:] : object }
}

/// Calls the mutating and validating webhooks that are registered, over TLS with their own trust.
final class WebhookCaller: Sendable {
    private let store: ObjectStore
    private let logger: Logger
    private let clients = Mutex<[String: HTTPClient]>([:])

    init(store: ObjectStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    func shutdown() async {
        let all = clients.withLock { clients in
            defer { clients = [:] }
            return Array(clients.values)
        }
        for client in all { try? await client.shutdown() }
    }

    /// - Returns: the object as the webhooks left it.
    func mutate(_ request: AdmissionRequest) async throws -> JSONValue {
        var request = request
        for hook in hooks("mutatingwebhookconfigurations", request) {
            guard let response = try await call(hook, request) else { continue }
            guard let text = response["patch"]?.stringValue, let bytes = Data(base64Encoded: text) else { continue }
            do {
                request.object = try request.object.applying(jsonPatch: JSONValue(parsing: bytes))
            } catch {
                throw APIError.internalError("error decoding the patch of webhook \"\(hook.string("name"))\": \(error)")
            }
        }
        return request.object
    }

    func validate(_ request: AdmissionRequest) async throws {
        for hook in hooks("validatingwebhookconfigurations", request) { _ = try await call(hook, request) }
    }

    // MARK: Which

    private func hooks(_ resource: String, _ request: AdmissionRequest) -> [JSONValue] {
        if request.info.group == "admissionregistration.k8s.io" { return [] }
        let configurations = store.all(StorageID(group: "admissionregistration.k8s.io", resource: resource)).objects
        return configurations.flatMap { $0.1["webhooks"]?.arrayValue ?? [] }.filter { matches($0, request) }
    }

    private func matches(_ hook: JSONValue, _ request: AdmissionRequest) -> Bool {
        let resource =
            request.options.subresource.isEmpty
            ? request.info.plural : "\(request.info.plural)/\(request.options.subresource)"
        func has(_ rule: JSONValue, _ key: String, _ values: [String]) -> Bool {
            let list = rule[key]?.arrayValue?.compactMap(\.stringValue) ?? []
            return list.contains("*") || values.contains(where: list.contains)
        }
        let versions = hook["matchPolicy"] == "Exact" ? [request.resource.version] : request.info.versions
        let ruled = (hook["rules"]?.arrayValue ?? []).contains { rule in
            let scope = rule["scope"]?.stringValue ?? "*"
            return has(rule, "operations", [request.operation]) && has(rule, "apiGroups", [request.info.group])
                && has(rule, "apiVersions", versions)
                && (has(rule, "resources", [resource, "\(request.info.plural)/*"])
                    && (request.options.subresource.isEmpty || rule["resources"] != ["*"]))
                && (scope == "*" || (scope == "Namespaced") == request.info.namespaced)
        }
        guard ruled, selects(hook["objectSelector"], request) else { return false }
        return selectsNamespace(hook["namespaceSelector"], request)
    }

    private func selects(_ selector: JSONValue?, _ request: AdmissionRequest) -> Bool {
        guard let selector, let parsed = try? selector.decode(LabelSelector.self) else { return true }
        return parsed.matches(KubernetesObject(request.subject).labels)
            || request.old.map { parsed.matches(KubernetesObject($0).labels) } ?? false
    }

    private func selectsNamespace(_ selector: JSONValue?, _ request: AdmissionRequest) -> Bool {
        guard let selector, let parsed = try? selector.decode(LabelSelector.self) else { return true }
        let namespace =
            request.info.kind == "Namespace"
            ? request.subject
            : store.get(
                StorageID(group: "", resource: "namespaces"),
                ObjectID(namespace: "", name: request.subject.string("metadata", "namespace")))
        guard request.info.namespaced || request.info.kind == "Namespace" else { return true }
        return parsed.matches(KubernetesObject(namespace ?? [:]).labels)
    }

    // MARK: Call

    /// - Returns: the response, or `nil` when the call failed and the webhook is to be ignored then.
    private func call(_ hook: JSONValue, _ request: AdmissionRequest) async throws -> JSONValue? {
        let name = hook.string("name")
        if request.options.dryRun, hook["sideEffects"] != "None", hook["sideEffects"] != "NoneOnDryRun" {
            throw APIError.badRequest("admission webhook \"\(name)\" does not support dry run")
        }
        let uid = UUID().uuidString.lowercased()
        let response: JSONValue
        do {
            let review = try await post(hook, review(request, uid: uid))
            guard let answer = review["response"], answer.string("uid") == uid else {
                throw WebhookFailure("the webhook sent no response to this request")
            }
            response = answer
        } catch {
            let text = "failed calling webhook \"\(name)\": failed to call webhook: \(Self.words(error))"
            logger.warning("\(text)")
            if hook["failurePolicy"] == "Ignore" { return nil }
            throw APIError.internalError(text)
        }
        for warning in response["warnings"]?.arrayValue ?? [] {
            request.options.warnings.append(warning.stringValue ?? "")
        }
        guard response["allowed"] == true else {
            let status = response["status"] ?? [:]
            let reason = status["message"]?.stringValue ?? status["reason"]?.stringValue
            let tail = reason.map { "denied the request: \($0)" } ?? "denied the request without explanation"
            let code = status.int("code", absent: 400)
            throw APIError(
                code: code == 0 ? 400 : code,
                reason: status["reason"]?.stringValue ?? (code == 403 ? "Forbidden" : "BadRequest"),
                message: "admission webhook \"\(name)\" \(tail)")
        }
        return response
    }

    private static func words(_ error: any Error) -> String {
        if let failure = error as? WebhookFailure { return failure.message }
        let text = "\(error)"
        return error is CancellationError || text.contains("deadlineExceeded") || text.contains("connectTimeout")
            ? "context deadline exceeded" : text
    }

    private func review(_ request: AdmissionRequest, uid: String) -> JSONValue {
        let kind: JSONValue = [
            "group": .string(request.info.group), "version": .string(request.resource.version),
            "kind": .string(request.info.kind),
        ]
        let resource: JSONValue = [
            "group": .string(request.info.group), "version": .string(request.resource.version),
            "resource": .string(request.info.plural),
        ]
        var body: JSONValue = [
            "uid": .string(uid), "kind": kind, "requestKind": kind, "resource": resource, "requestResource": resource,
            "name": request.subject[path: "metadata", "name"] ?? "",
            "namespace": request.subject[path: "metadata", "namespace"] ?? "", "operation": .string(request.operation),
            "userInfo": request.options.user.json, "object": request.object, "oldObject": request.old ?? .null,
            "dryRun": .bool(request.options.dryRun), "options": .null,
        ]
        if !request.options.subresource.isEmpty { body["subResource"] = .string(request.options.subresource) }
        return ["kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": body]
    }

    private func post(_ hook: JSONValue, _ body: JSONValue) async throws -> JSONValue {
        let seconds = hook.int("timeoutSeconds", absent: 10)
        let target = try target(hook)
        var request = HTTPClientRequest(url: target.url + "?timeout=\(seconds)s")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(body.serialized())
        let client = try client(target, caBundle: hook[path: "clientConfig", "caBundle"]?.stringValue ?? "")
        let response: HTTPClientResponse
        do {
            response = try await client.execute(request, timeout: .seconds(Int64(seconds)))
        } catch {
            throw WebhookFailure("Post \"\(target.url)?timeout=\(seconds)s\": \(Self.words(error))")
        }
        let bytes = try await response.body.collect(upTo: 8 << 20)
        guard response.status == .ok else { throw WebhookFailure("the server answered \(response.status)") }
        return try JSONValue(parsing: bytes.readableBytesView)
    }

    private struct Target {
        var url: String
        var host: String
        var address: String?
    }

    private func target(_ hook: JSONValue) throws -> Target {
        if let url = hook[path: "clientConfig", "url"]?.stringValue { return Target(url: url, host: "", address: nil) }
        let service = hook[path: "clientConfig", "service"] ?? [:]
        let (namespace, name) = (service.string("namespace"), service.string("name"))
        let host = "\(name).\(namespace).svc"
        let wanted = service.int("port", absent: 443)
        let path = service["path"]?.stringValue ?? ""
        let url = "https://\(host):\(wanted)\(path)"
        guard
            let object = store.get(
                StorageID(group: "", resource: "services"), ObjectID(namespace: namespace, name: name))
        else { throw WebhookFailure("Post \"\(url)\": service \"\(name)\" not found") }
        guard let endpoint = ServiceEndpoints.pick(store, object, port: wanted) else {
            throw WebhookFailure("Post \"\(url)\": no endpoints available for service \"\(name)\"")
        }
        return Target(url: "https://\(host):\(endpoint.port)\(path)", host: host, address: endpoint.address)
    }

    private func client(_ target: Target, caBundle: String) throws -> HTTPClient {
        let key = "\(target.host)|\(target.address ?? "")|\(caBundle)"
        return try clients.withLock { clients in
            if let client = clients[key] { return client }
            var configuration = HTTPClient.Configuration()
            var tls = TLSConfiguration.makeClientConfiguration()
            if let pem = Data(base64Encoded: caBundle), !pem.isEmpty {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(pem)))
            }
            configuration.tlsConfiguration = tls
            configuration.timeout.connect = .seconds(5)
            configuration.httpVersion = .http1Only
            if let address = target.address { configuration.dnsOverride = [target.host: address] }
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            clients[key] = client
            return client
        }
    }
}

/// Why a webhook could not be asked.
struct WebhookFailure: Error {
    var message: String
    init(_ message: String) { self.message = message }
}

/// Where a Service's traffic goes at this moment.
enum ServiceEndpoints {
    /// A ready endpoint of the service's port (number or name), or its address when it selects no pods.
    static func pick(_ store: ObjectStore, _ service: JSONValue, port wanted: Int?, name: String? = nil)
        -> (address: String, port: Int)?
    {
        let ports = service[path: "spec", "ports"]?.arrayValue ?? []
        guard
            let port = ports.first(where: {
                $0["port"]?.intValue == wanted || $0["name"]?.stringValue == name && name != nil
            })
                ?? (wanted == nil && name == nil ? ports.first : nil)
        else { return nil }
        let namespace = service.string("metadata", "namespace")
        let slices = store.all(StorageID(group: "discovery.k8s.io", resource: "endpointslices"), namespace: namespace)
            .objects
            .map(\.1).filter {
                $0[path: "metadata", "labels", "kubernetes.io/service-name"] == service[path: "metadata", "name"]
            }
        for slice in slices {
            let match = slice["ports"]?.arrayValue?.first { $0.string("name") == port.string("name") }
            let ready = slice["endpoints"]?.arrayValue?.filter { $0[path: "conditions", "ready"] != false } ?? []
            if let number = match?["port"]?.intValue, let address = ready.randomElement()?["addresses"]?[0]?.stringValue
            {
                return (address, number)
            }
        }
        return nil
    }
}
