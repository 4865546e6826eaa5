package import Hummingbird
import WeftCore

/// The web page of the mesh and the JSON it reads.
package enum Dashboard {
    /// Adds the page at `/`, its parts, and `/api/edges`, `/api/proxies`, `/api/workloads`.
    package static func add(to router: Router<BasicRequestContext>, source: some DashboardSource) {
        router.get("/") { _, _ in answer(DashboardPage.html, "text/html; charset=utf-8") }
        router.get("style.css") { _, _ in answer(DashboardStyle.css, "text/css; charset=utf-8") }
        router.get("app.js") { _, _ in answer(DashboardScript.javaScript, "text/javascript; charset=utf-8") }
        router.get("api/edges") { _, _ in await json(source.edges()) }
        router.get("api/proxies") { _, _ in await json(source.proxies()) }
        router.get("api/workloads") { _, _ in await json(source.workloads()) }
        // Where `istioctl dashboard kiali` users look first.
        router.get("kiali") { _, _ in Response.redirect(to: "/", type: .temporary) }
    }

    /// Only our own files, no inline script, never in a frame.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    private static func answer(_ text: String, _ type: String) -> Response {
        var headers: HTTPFields = [.contentType: type, .cacheControl: "no-cache"]
        headers[.contentSecurityPolicy] = policy
        headers[.xContentTypeOptions] = "nosniff"
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private static func json(_ value: JSONValue) -> Response {
        let headers: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: value.serialized())))
    }
}
