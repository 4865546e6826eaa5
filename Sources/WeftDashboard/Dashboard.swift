package import Hummingbird
import WeftCore

/// The web application of the mesh and the JSON it reads.
package enum Dashboard {
    /// Adds the application's files, and its documents under `/api`.
    package static func add(to router: Router<BasicRequestContext>, source: some DashboardSource) {
        for file in WebFile.all {
            router.get(RouterPath(file.path)) { _, _ in answer(file) }
        }
        router.get("api/edges") { _, _ in await json(source.edges()) }
        router.get("api/proxies") { _, _ in await json(source.proxies()) }
        router.get("api/proxy") { request, _ in
            guard let name = request.uri.queryParameters["name"] else {
                return refused("say which proxy: ?name=POD.NAMESPACE")
            }
            return await found(source.proxy(named: String(name)), "proxy \(name) is not connected")
        }
        router.get("api/workloads") { _, _ in await json(source.workloads()) }
        router.get("api/services") { _, _ in await json(source.services()) }
        router.get("api/mesh") { _, _ in await json(source.mesh()) }
        router.get("api/config") { _, _ in await json(source.configuration()) }
        router.get("api/config/object") { request, _ in
            guard let object = reference(request) else {
                return refused("say which object: ?group=GROUP&kind=KIND&namespace=NAMESPACE&name=NAME")
            }
            let group = request.uri.queryParameters["group"].map(String.init)
            return await found(
                source.object(object, group: group),
                "\(object) is not there, or is no object of the mesh's configuration")
        }
        // Where `istioctl dashboard kiali` users look first.
        router.get("kiali") { _, _ in Response.redirect(to: "/", type: .temporary) }
    }

    /// Only our own files, no inline script, never in a frame.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    private static func answer(_ file: WebFile) -> Response {
        var headers: HTTPFields = [.contentType: file.type, .cacheControl: "no-cache"]
        headers[.contentSecurityPolicy] = policy
        headers[.xContentTypeOptions] = "nosniff"
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: file.bytes)))
    }

    static func reference(_ request: Request) -> ResourceReference? {
        let asked = request.uri.queryParameters
        guard let kind = asked["kind"], let name = asked["name"] else { return nil }
        return ResourceReference(
            kind: String(kind), namespace: asked["namespace"].map(String.init) ?? "", name: String(name))
    }

    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        let headers: HTTPFields = [
            .contentType: "application/json", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
        ]
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: value.serialized())))
    }

    static func refused(_ words: String) -> Response { json(["error": .string(words)], status: .badRequest) }

    private static func found(_ value: JSONValue?, _ words: String) -> Response {
        value.map { json($0) } ?? json(["error": .string(words)], status: .notFound)
    }
}

/// One file of the web application, as it lies under `Web/`; it is part of the executable.
struct WebFile: Sendable {
    let path: String
    let type: String
    let bytes: [UInt8]

    private static func script(_ path: String, _ bytes: [UInt8]) -> WebFile {
        WebFile(path: path, type: "text/javascript; charset=utf-8", bytes: bytes)
    }

    /// Names every script in the page's head: a browser that learns of them one import after the other waits for each
    /// depth of imports.
    private static func page(_ bytes: [UInt8]) -> WebFile {
        let links = scripts.map { "<link rel=\"modulepreload\" href=\"/\($0.path)\">\n" }.joined()
        let text = String(decoding: bytes, as: UTF8.self).replacing("</head>", with: links + "</head>")
        return WebFile(path: "/", type: "text/html; charset=utf-8", bytes: Array(text.utf8))
    }

    static let all: [WebFile] =
        scripts + [
            page(PackageResources.index_html),
            WebFile(path: "style.css", type: "text/css; charset=utf-8", bytes: PackageResources.style_css),
        ]
    private static let scripts: [WebFile] = [
        script("main.js", PackageResources.main_js),
        script("lib/api.js", PackageResources.api_js), script("lib/chart.js", PackageResources.chart_js),
        script("lib/dom.js", PackageResources.dom_js), script("lib/format.js", PackageResources.format_js),
        script("lib/signin.js", PackageResources.signin_js), script("lib/state.js", PackageResources.state_js),
        script("lib/token.js", PackageResources.token_js), script("lib/yaml.js", PackageResources.yaml_js),
        script("config/editor.js", PackageResources.editor_js), script("config/form.js", PackageResources.form_js),
        script("config/forms.js", PackageResources.forms_js),
        script("graph/badges.js", PackageResources.badges_js), script("graph/layout.js", PackageResources.layout_js),
        script("graph/labels.js", PackageResources.labels_js),
        script("graph/model.js", PackageResources.model_js), script("graph/view.js", PackageResources.view_js),
        script("pages/config.js", PackageResources.config_js), script("pages/graph.js", PackageResources.graph_js),
        script("pages/lists.js", PackageResources.lists_js), script("pages/logs.js", PackageResources.logs_js),
        script("pages/mesh.js", PackageResources.mesh_js),
        script("pages/metrics.js", PackageResources.metrics_js),
        script("pages/numbers.js", PackageResources.numbers_js),
        script("pages/overview.js", PackageResources.overview_js),
        script("pages/panels.js", PackageResources.panels_js), script("pages/tap.js", PackageResources.tap_js),
        script("pages/traces.js", PackageResources.traces_js),
    ]
}
