import Foundation
import Glibc
import Hummingbird
import Logging
import Testing
import WeftAdmin
import WeftCore
import WeftDashboard

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// The admin endpoints and the dashboard as a client on the loopback sees them.
@Suite(.serialized) struct ServedPagesTests {
    /// Fixed answers, one of them with a character that HTML would take for its own.
    private struct Source: DashboardSource {
        func edges() async -> JSONValue { [["source": "a<b", "rate": 1.5]] }
        func proxies() async -> JSONValue { [["name": "p", "state": "SYNCED"]] }
        func proxy(named name: String) async -> JSONValue? { name == "p" ? ["listeners": []] : nil }
        func workloads() async -> JSONValue { [] }
        func services() async -> JSONValue { [["name": "s"]] }
        func mesh() async -> JSONValue { ["version": "1"] }
        func configuration() async -> JSONValue { [] }
        func object(_ reference: ResourceReference, group: String?) async -> JSONValue? {
            reference == ResourceReference(kind: "Gateway", namespace: "a", name: "b") && group != "other.io"
                ? ["object": "<b>"] : nil
        }
    }

    private struct Answer {
        var status: Int
        var headers: [String: String]
        var body: String
    }

    /// A listening socket on a free port of the loopback, as a parent process hands it over.
    private func listen() throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = try withUnsafeMutableBytes(of: &address) { bytes -> Int in
            let pointer = try #require(bytes.baseAddress).assumingMemoryBound(to: sockaddr.self)
            try #require(bind(descriptor, pointer, length) == 0)
            try #require(Glibc.listen(descriptor, 16) == 0)
            try #require(getsockname(descriptor, pointer, &length) == 0)
            return Int(bytes[2]) << 8 | Int(bytes[3])
        }
        return (descriptor, port)
    }

    private func serving(
        notReadyBecause reason: String? = nil,
        _ body: @escaping @Sendable (_ fetch: (String, String) async throws -> Answer) async throws -> Void
    ) async throws {
        let (descriptor, port) = try listen()
        let router = Router(context: BasicRequestContext.self)
        AdminRoutes.add(to: router) { reason }
        Dashboard.add(to: router, source: Source())
        let service = HTTPService(
            router: router, sockets: [.descriptor(descriptor)], logger: Logger(label: "test"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            try await body { method, path in
                var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
                request.httpMethod = method
                let (data, response) = try await URLSession.shared.data(for: request)
                let http = try #require(response as? HTTPURLResponse)
                let headers = http.allHeaderFields.map { ("\($0.key)".lowercased(), "\($0.value)") }
                return Answer(
                    status: http.statusCode, headers: Dictionary(headers) { first, _ in first },
                    body: String(decoding: data, as: UTF8.self))
            }
            group.cancelAll()
        }
    }

    @Test func healthAndReadiness() async throws {
        try await serving { fetch in
            let health = try await fetch("GET", "/healthz")
            #expect(health.body == "ok\n")
            let (ready, unknown) = (try await fetch("GET", "/ready"), try await fetch("GET", "/nothing"))
            #expect(ready.status == 200 && unknown.status == 404)
        }
        try await serving(notReadyBecause: "waiting for Service") { fetch in
            let answer = try await fetch("GET", "/ready")
            #expect(answer.status == 503)
            #expect(answer.body == "not ready: waiting for Service\n")
            #expect(try await fetch("GET", "/healthz").status == 200)
        }
    }

    @Test func logLevelCanBeChanged() async throws {
        let before = LineLogHandler.level
        defer { LineLogHandler.setLevel(before) }
        try await serving { fetch in
            #expect(try await fetch("POST", "/logging?level=debug").body == "debug\n")
            #expect(try await fetch("GET", "/logging").body == "debug\n")
            let refused = try await fetch("POST", "/logging?level=loud")
            #expect(refused.status == 400 && refused.body.contains("trace, debug, info"), "\(refused)")
            #expect(LineLogHandler.level == .debug)
        }
    }

    @Test func pageLoadsOnlyItsOwnParts() async throws {
        try await serving { fetch in
            let page = try await fetch("GET", "/")
            #expect(page.status == 200 && page.headers["content-type"]?.hasPrefix("text/html") == true)
            #expect(page.headers["content-security-policy"]?.contains("frame-ancestors 'none'") == true)
            #expect(page.headers["x-content-type-options"] == "nosniff")
            let parts = page.body.matches(of: /(?:src|href)="([^"]+)"/).map { String($0.1) }.filter {
                !$0.hasPrefix("data:")
            }
            #expect(!parts.isEmpty)
            for part in parts {
                let path = part.hasPrefix("/") ? part : "/" + part
                #expect(try await fetch("GET", path).status == 200, "\(part)")
            }
            #expect(!page.body.contains("<script>"), "an inline script would be refused by the page's own policy")
        }
    }

    @Test(arguments: [
        ("/api/edges", #"[{"rate":1.5,"source":"a<b"}]"#), ("/api/proxies", #"[{"name":"p","state":"SYNCED"}]"#),
        ("/api/workloads", "[]"), ("/api/services", #"[{"name":"s"}]"#), ("/api/mesh", #"{"version":"1"}"#),
        ("/api/config", "[]"), ("/api/proxy?name=p", #"{"listeners":[]}"#),
        ("/api/config/object?kind=Gateway&namespace=a&name=b", #"{"object":"<b>"}"#),
    ])
    func documents(_ path: String, _ expected: String) async throws {
        try await serving { fetch in
            let answer = try await fetch("GET", path)
            #expect(answer.headers["content-type"] == "application/json")
            #expect(answer.headers["cache-control"] == "no-store")
            #expect(try JSONValue(parsing: answer.body) == JSONValue(parsing: expected))
        }
    }

    @Test(arguments: [
        ("/api/proxy", 400, "?name="), ("/api/proxy?name=q", 404, "q is not connected"),
        ("/api/config/object?name=b", 400, "&kind="),
        ("/api/config/object?group=other.io&kind=Gateway&namespace=a&name=b", 404, "Gateway a/b is not there"),
        ("/api/config/object?kind=Secret&name=b", 404, "Secret b is not there"),
    ])
    func whatIsNotThere(_ path: String, _ status: Int, _ words: String) async throws {
        try await serving { fetch in
            let answer = try await fetch("GET", path)
            #expect(answer.status == status && answer.body.contains(words), "\(answer)")
            #expect(answer.headers["x-content-type-options"] == "nosniff")
        }
    }

    /// Each module that a script imports is served, so that the page works without another server.
    @Test func everyImportIsServed() async throws {
        try await serving { fetch in
            var open = ["/main.js"]
            var seen: Set<String> = []
            while let path = open.popLast() {
                guard seen.insert(path).inserted else { continue }
                let answer = try await fetch("GET", path)
                #expect(
                    answer.status == 200 && answer.headers["content-type"]?.hasPrefix("text/javascript") == true,
                    "\(path)")
                for match in answer.body.matches(of: /from "(\.[^"]+)"/) {
                    let base = try #require(URL(string: "http://h" + path))
                    open.append(try #require(URL(string: String(match.1), relativeTo: base)).absoluteURL.path)
                }
            }
            #expect(seen.count > 10)
        }
    }

    @Test(arguments: [
        ("8080=5,8443=6", [8080: Int32(5), 8443: 6]), ("", [:]), ("8080=2", [:]), ("a=5,8080=,=7,8081=9", [8081: 9]),
    ])
    func inheritedSockets(_ text: String, _ expected: [Int: Int32]) {
        #expect(InheritedSockets(environment: ["WEFT_LISTEN_FDS": text]).descriptors == expected)
    }
}
