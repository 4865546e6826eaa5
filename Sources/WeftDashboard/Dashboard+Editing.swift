package import Hummingbird
import WeftCore

/// The routes that need the reader's own token, in `Authorization: Bearer`.
///
/// A page of another origin cannot send that header without asking first, and nothing here answers such a question.
extension Dashboard {
    /// Manifests above this are refused.
    private static let manifestLimit = 1 << 20
    private static let mostLines = 5_000

    package static func addEditing(to router: Router<BasicRequestContext>, editor: some DashboardEditor) {
        router.post("api/config/check") { request, _ in
            guard let text = await manifest(request) else { return tooLarge }
            return json(await editor.check(text, version: version(request), token: token(request)))
        }
        router.post("api/config/apply") { request, _ in
            guard let token = token(request) else { return withoutToken }
            guard let text = await manifest(request) else { return tooLarge }
            return json(await editor.apply(text, version: version(request), token: token))
        }
        router.delete("api/config/object") { request, _ in
            guard let token = token(request) else { return withoutToken }
            guard let object = reference(request), let group = request.uri.queryParameters["group"] else {
                return refused("say which object: ?group=GROUP&kind=KIND&namespace=NAMESPACE&name=NAME")
            }
            return await answer { () throws(DashboardRefusal) in
                try await editor.delete(object, group: String(group), token: token)
                return json(["deleted": true])
            }
        }
        router.get("api/certificates") { request, _ in
            guard let token = token(request) else { return withoutToken }
            let asked = request.uri.queryParameters
            guard let namespace = asked["namespace"], let pod = asked["pod"] else {
                return refused("say whose certificates: ?namespace=NAMESPACE&pod=POD")
            }
            return await answer { () throws(DashboardRefusal) in
                json(try await editor.certificates(namespace: String(namespace), pod: String(pod), token: token))
            }
        }
        router.get("api/logs") { request, _ in
            guard let token = token(request) else { return withoutToken }
            guard let question = question(request) else {
                return refused("say whose log: ?namespace=NAMESPACE&pod=POD&container=CONTAINER")
            }
            return await answer { () throws(DashboardRefusal) in text(try await editor.log(question, token: token)) }
        }
    }

    private static let withoutToken = json(
        ["error": "no token came with the request; the page asks for one under “Sign in”"], status: .unauthorized)
    private static let tooLarge = json(
        ["error": "a manifest may have \(manifestLimit) bytes"], status: .contentTooLarge)

    private static func answer(_ body: () async throws(DashboardRefusal) -> Response) async -> Response {
        do { return try await body() } catch {
            return json(["error": .string(error.words)], status: HTTPResponse.Status(code: error.status))
        }
    }

    private static func manifest(_ request: Request) async -> String? {
        guard let body = try? await request.body.collect(upTo: manifestLimit) else { return nil }
        return String(buffer: body)
    }

    private static func version(_ request: Request) -> String? {
        request.uri.queryParameters["version"].map(String.init)
    }

    private static func token(_ request: Request) -> String? {
        BearerToken.read(request.headers[values: .authorization])
    }

    private static func question(_ request: Request) -> LogQuestion? {
        let asked = request.uri.queryParameters
        guard let namespace = asked["namespace"], let pod = asked["pod"], let container = asked["container"] else {
            return nil
        }
        let lines = asked["lines"].flatMap { Int($0) } ?? 500
        return LogQuestion(
            namespace: String(namespace), pod: String(pod), container: String(container),
            lines: min(max(lines, 1), mostLines), since: asked["since"].map(String.init))
    }

    private static func text(_ bytes: [UInt8]) -> Response {
        let headers: HTTPFields = [
            .contentType: "text/plain; charset=utf-8", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
        ]
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
