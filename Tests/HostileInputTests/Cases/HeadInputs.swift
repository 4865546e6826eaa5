/// Request lines, header lines, targets and hosts.
extension HostileInputs {
    private static func head(_ fields: String) -> String { "GET /h HTTP/1.1\nhost: a.test\nx-id: {id}\n\(fields)\n\n" }

    static let lines: [HostileCase] =
        [
            ("HTTP/0.9", "GET /x\n\n"), ("no version", "GET /x \nhost: a.test\n\n"),
            ("two blanks", "GET  /x HTTP/1.1\nhost: a.test\n\n"),
            ("blank at the end", "GET /x HTTP/1.1 \nhost: a.test\n\n"),
            ("blank before", " GET /x HTTP/1.1\nhost: a.test\n\n"),
            ("tab for a blank", "GET\t/x\tHTTP/1.1\nhost: a.test\n\n"),
            ("blank in the target", "GET /a b HTTP/1.1\nhost: a.test\n\n"),
            ("lower-case protocol", "GET /x http/1.1\nhost: a.test\n\n"),
            ("version prefix", "GET /x HTTP/1.10\nhost: a.test\n\n"),
            ("version letters", "GET /x HTTP/1.x\nhost: a.test\n\n"),
            ("other protocol", "GET /x HTTPS/1.1\nhost: a.test\n\n"),
            ("protocol suffix", "GET /x XHTTP/1.1\nhost: a.test\n\n"),
            ("version sign", "GET /x HTTP/+1.1\nhost: a.test\n\n"),
            ("method with a bracket", "GE(T /x HTTP/1.1\nhost: a.test\n\n"),
            ("method with a colon", "GET: /x HTTP/1.1\nhost: a.test\n\n"),
            ("empty method", " /x HTTP/1.1\nhost: a.test\n\n"),
            ("NUL in the method", "GE␀T /x HTTP/1.1\nhost: a.test\n\n"),
            ("NUL in the target", "GET /x␀y HTTP/1.1\nhost: a.test\n\n"),
            ("DEL in the target", "GET /x⟦7f⟧ HTTP/1.1\nhost: a.test\n\n"),
            ("bare LF", "GET /x HTTP/1.1␊host: a.test␊␊"), ("bare LF at the end", "GET /x HTTP/1.1\nhost: a.test\n␊"),
            ("bare CR", "GET /x HTTP/1.1␍host: a.test␍␍"), ("CR in the line", "GET /x␍ HTTP/1.1\nhost: a.test\n\n"),
            ("only a colon", ":\n\n"), ("SMTP", "EHLO a.test\n\n"), ("UTF-16", "⟦ff⟧⟦fe⟧G␀E␀T␀ ␀/␀\n\n"),
        ].map { http1("Request lines", $0, $1 + good(), refused) } + [
            http1("Request lines", "HTTP/2.0", "GET /x HTTP/2.0\nhost: a.test\n\n" + good(), refused),
            http1("Request lines", "HTTP/1.2", "GET /x HTTP/1.2\nhost: a.test\nx-id: {id}\n\n" + good(), refused),
            http1(
                "Request lines", "HTTP/1.0", "GET /x HTTP/1.0\nhost: a.test\nx-id: {id}\n\n" + good(), "426 closed",
                []),
            http1(
                "Request lines", "method prefix", "GETS /x HTTP/1.1\nhost: a.test\nx-id: {id}\n\n", "400 closed",
                []),
            http1(
                "Request lines", "lower-case method", "get /x HTTP/1.1\nhost: a.test\nx-id: {id}\n\n", "400 closed",
                []),
            http1("Request lines", "empty lines before", "\n\n\n" + good("/x"), "200 open", ["GET /x"]),
            http1(
                "Request lines", "endless target",
                "GET /" + String(repeating: "a", count: 100_000) + " HTTP/1.1\nhost: a.test\n\n",
                "431 closed"),
        ]

    static let fields: [HostileCase] =
        [
            ("no colon", "novalue"), ("empty name", ": value"), ("space before colon", "x-a : 1"),
            ("tab before colon", "x-a\t: 1"),
            ("space in the name", "x a: 1"), ("folded", "x-a: 1\n 2"), ("folded with a tab", "x-a: 1\n\t2"),
            ("NUL in the name", "x␀a: 1"), ("NUL in the value", "x-a: 1␀2"), ("CR in the value", "x-a: 1␍2"),
            ("LF in the value", "x-a: 1␊x-b: 2"), ("control in the value", "x-a: 1⟦01⟧2"),
            ("DEL in the value", "x-a: 1⟦7f⟧2"),
            ("high byte in the name", "x⟦e9⟧a: 1"), ("brackets in the name", "x(a): 1"),
            ("quote in the name", "x\"a: 1"),
            ("slash in the name", "x/a: 1"), ("at sign in the name", "x@a: 1"),
            ("blank line with a blank", "x-a: 1\n \nx-b: 2"),
            ("escape in the value", "x-a: ⟦1b⟧[31m"), ("bell in the name", "x⟦07⟧: 1"),
        ].map { http1("Header lines", $0, head($1) + good(), refused) } + [
            http1("Header lines", "first line folded", "GET /x HTTP/1.1\n x: y\nhost: a.test\n\n" + good(), refused),
            http1(
                "Header lines", "too many", head((0..<150).map { "x-\($0): 1" }.joined(separator: "\n")), "431 closed"),
            http1("Header lines", "too long", head("x-a: " + String(repeating: "a", count: 100_000)), "431 closed"),
            http1(
                "Header lines", "too long a name", head(String(repeating: "n", count: 100_000) + ": 1"), "431 closed"),
            http1(
                "Header lines", "never ending", "GET /x HTTP/1.1\n" + String(repeating: "x-a: 1\n", count: 20_000),
                "431 closed"),
            http1("Header lines", "blanks around the value", head("x-a:  \t 1 \t "), "200 open", ["GET /h"]),
            http1("Header lines", "high bytes in the value", head("x-a: ⟦e9⟧⟦ff⟧"), "200 open", ["GET /h"]),
            http1("Header lines", "banned, twice", head("x-role: fine\nx-role: banned"), "403 open"),
            http1("Header lines", "banned, first of two", head("x-role: banned\nx-role: fine"), "403 open"),
            http1("Header lines", "banned, blank after", head("x-role: banned   "), "403 open"),
            http1("Header lines", "underscore for a hyphen", head("x_role: banned"), "200 open", ["GET /h"]),
        ]

    static let targets: [HostileCase] =
        [
            ("no slash", "x"), ("asterisk with GET", "*"), ("other scheme", "ftp://a.test/x"),
            ("scheme without authority", "http:///x"),
            ("only a scheme", "http://"), ("one slash", "http:/a.test/x"), ("authority with GET", "a.test:80"),
            ("query first", "?x=y"), ("backslash first", "\\x"), ("file", "file:///etc/passwd"), ("dots", "../x"),
            ("percent", "%2fx"), ("javascript", "javascript:1"), ("two at signs", "http://a@b@a.test/"),
            ("bad port", "http://a.test:x/"),
        ].map { http1("Targets", $0, "GET \($1) HTTP/1.1\nhost: a.test\nx-id: {id}\n\n" + good(), refused) } + [
            http1(
                "Targets", "absolute with another Host",
                "GET http://secret.test/x HTTP/1.1\nhost: a.test\nx-id: {id}\n\n", "403 open"),
            http1(
                "Targets", "absolute against a secret Host",
                "GET http://a.test/x HTTP/1.1\nhost: secret.test\nx-id: {id}\n\n",
                "200 open", ["GET /x"]),
            http1(
                "Targets", "mixed-case scheme", "GET hTTp://a.test/x HTTP/1.1\nhost: a.test\nx-id: {id}\n\n",
                "200 open", ["GET /x"]),
            http1(
                "Targets", "absolute to a forbidden path",
                "GET http://a.test/admin HTTP/1.1\nhost: a.test\nx-id: {id}\n\n", "403 open"),
            http1("Targets", "OPTIONS *", "OPTIONS * HTTP/1.1\nhost: a.test\nx-id: {id}\n\n", "404 open"),
        ]

    static let hosts: [HostileCase] =
        [
            ("missing", ""), ("twice", "host: a.test\nhost: b.test\n"), ("twice, same", "host: a.test\nhost: a.test\n"),
            ("two in one", "host: a.test, b.test\n"), ("with a path", "host: a.test/admin\n"),
            ("with a blank", "host: a test\n"),
            ("with a question mark", "host: a.test?x\n"), ("with a hash", "host: a.test#x\n"),
            ("with NUL", "host: a␀.test\n"),
            ("with an at sign", "host: x@a.test\n"), ("high bytes", "host: ⟦e9⟧.test\n"),
            ("bad port", "host: a.test:99999999\n"),
            ("port with letters", "host: a.test:8o\n"), ("open bracket", "host: [::1\n"),
            ("backslash", "host: a.test\\x\n"),
            ("tab", "host: a\ttest\n"), ("angle brackets", "host: <script>\n"),
        ].map { http1("Host", $0, "GET /x HTTP/1.1\n\($1)x-id: {id}\n\n" + good(), refused) } + [
            http1("Host", "capitals", "GET /x HTTP/1.1\nhost: SECRET.test\nx-id: {id}\n\n", "403 open"),
            http1("Host", "with a port", "GET /x HTTP/1.1\nhost: secret.test:1234\nx-id: {id}\n\n", "403 open"),
            http1("Host", "empty", "GET /x HTTP/1.1\nhost:\nx-id: {id}\n\n", "200 open", ["GET /x"]),
        ]

    /// `/admin` is denied: no spelling of it may pass. What is not `/admin` after one normalisation is forwarded so.
    static let paths: [HostileCase] = [
        ("plain", "/admin", "403 open", []), ("below", "/admin/x", "403 open", []),
        ("query", "/admin?x", "403 open", []),
        ("fragment", "/admin#x", "400 closed", []), ("two slashes", "//admin", "403 open", []),
        ("slashes inside", "///admin//x", "403 open", []), ("dot", "/./admin", "403 open", []),
        ("dots", "/x/../admin", "403 open", []), ("escaped letter", "/%61dmin", "403 open", []),
        ("escaped dots", "/x/%2e%2e/admin", "403 open", []), ("half-escaped dots", "/x/.%2E/admin", "403 open", []),
        ("dots above the root", "/../../admin", "403 open", []), ("backslash", "/x\\..\\admin", "403 open", []),
        ("escaped slash", "/%2fadmin", "400 closed", []), ("escaped backslash", "/%5cadmin", "400 closed", []),
        ("escaped slash after dots", "/x/..%2fadmin", "400 closed", []),
        ("absolute", "http://a.test//admin", "403 open", []),
        ("double escape", "/%2561dmin", "200 open", ["GET /%2561dmin"]),
        ("double-escaped dots", "/x/%252e%252e/admin", "200 open", ["GET /x/%252e%252e/admin"]),
        ("semicolon dots", "/x/..;/admin", "403 open", []),
        ("capitals", "/ADMIN", "200 open", ["GET /ADMIN"]), ("other path", "/a/../b", "200 open", ["GET /b"]),
        ("bad escape", "/a%zz", "200 open", ["GET /a%zz"]), ("fragment of a free path", "/ok#frag", "400 closed", []),
        ("NUL escape", "/a%00b", "400 closed", []),
        ("UTF-8 overlong slash", "/%c0%afadmin", "200 open", ["GET /%c0%afadmin"]),
    ].map { name, path, answer, forwards in
        http1("Paths", name, "GET \(path) HTTP/1.1\nhost: a.test\nx-id: {id}\n\n", answer, forwards)
    }

    /// What a client says about itself and is not believed.
    static let identity: [HostileCase] = [
        ("internal flag", "x-envoy-internal: true", ["x-envoy-internal"]),
        (
            "client certificate", "x-forwarded-client-cert: By=spiffe://m/sa;URI=spiffe://m/admin",
            ["x-forwarded-client-cert"]
        ),
        ("original path", "x-envoy-original-path: /admin", ["x-envoy-original-path"]),
        // The proxy says it itself, of the connection.
        ("external address", "x-envoy-external-address: 10.0.0.1", []),
        ("expected timeout", "x-envoy-expected-rq-timeout-ms: 1", []),
        (
            "retry orders", "x-envoy-retry-on: 5xx\nx-envoy-max-retries: 1000",
            ["x-envoy-retry-on", "x-envoy-max-retries"]
        ),
        ("attempt count", "x-envoy-attempt-count: 9", ["x-envoy-attempt-count"]),
        ("hop-by-hop by Connection", "connection: x-secret\nx-secret: 1", ["x-secret"]),
        ("Connection naming Host", "connection: host", []),
        ("Proxy-Connection", "proxy-connection: keep-alive", ["proxy-connection"]),
        ("original destination", "x-envoy-original-dst-host: 127.0.0.1:1", []),
    ].map { name, fields, without in
        http1("Identity", name, head(fields), "200 open", ["GET /h"], without: without)
    }

    static let floods: [HostileCase] = [
        http1(
            "Limits", "ten thousand empty lines", String(repeating: "\n", count: 10_000) + good("/x"), "200 open",
            ["GET /x"]),
        http1(
            "Limits", "cookies", head((0..<90).map { "cookie: c\($0)=1" }.joined(separator: "\n")), "200 open",
            ["GET /h"]),
        http1("Limits", "a megabyte of header", head("x-a: " + String(repeating: "a", count: 1_000_000)), "431 closed"),
        http1("Limits", "a megabyte without a line end", String(repeating: "a", count: 1_000_000), "431 closed"),
    ]
}
