import Testing
import WeftCore

/// A request as the cases below know it.
private struct KnownRequest: AttributeSource {
    func value(of attribute: RequestAttribute) -> AttributeValue? {
        switch attribute {
        case .named(.responseCode): .int(503)
        case .named(.requestHost): .string("shop.example")
        case .named(.requestPath): .string("/api/cart?x=1")
        case .named(.requestDuration): .duration(1_500_000_000)
        case .named(.connectionMTLS): .bool(true)
        case .named(.destinationPort): .int(8080)
        case .header(.request, "user-agent"): .string("curl/8")
        case .peer(.client, .app): .string("web")
        default: nil
        }
    }

    func matches(_ text: String, pattern: String) -> Bool { text.contains(pattern) }
}

@Suite("Attribute expressions")
struct AttributeExpressionTests {
    @Test(
        "conditions",
        arguments: [
            ("response.code >= 400", true), ("response.code < 400", false), ("response.code == 503", true),
            ("!(response.code != 503)", true), ("request.host == \"shop.example\"", true),
            ("request.host in ['a', \"shop.example\"]", true), ("response.code in [200, 204]", false),
            ("request.path.startsWith('/api')", true), ("request.path.endsWith('2')", false),
            ("request.headers['User-Agent'].contains('curl')", true), ("request.headers.useragent == 'x'", false),
            ("request.host.matches('shop')", true), ("connection.mtls && response.code > 500", true),
            ("connection.mtls && !connection.mtls || response.code > 500", true),
            ("request.duration > duration('1s')", true), ("request.duration >= duration(\"2000ms\")", false),
            ("has(request.host)", true), ("has(response.grpc_status)", false),
            ("'user-agent' in request.headers", true), ("\"x-none\" in request.headers", false),
            ("request.host.size() == 12", true), ("size(request.host) < 3", false),
            ("filter_state.downstream_peer.app == 'web'", true), ("string(response.code) == '503'", true),
            ("(response.code > 400 ? request.host : 'none') == 'shop.example'", true),
            // A value that is missing decides nothing, unless the other side does.
            ("response.grpc_status == 0", false), ("!(response.grpc_status == 0)", false),
            ("response.grpc_status == 0 || response.code == 503", true),
            ("response.code == 503 || response.grpc_status == 0", true),
            ("response.grpc_status == 0 && response.code == 503", false),
            ("!(response.grpc_status == 0 && response.code == 200)", true),
        ])
    func conditions(text: String, expected: Bool) throws {
        let expression = try AttributeExpression(parsing: text)
        #expect(expression.type == .bool)
        #expect(expression.holds(for: KnownRequest()) == expected)
    }

    @Test(
        "values, as labels of metrics have them",
        arguments: [
            ("request.host", "shop.example"), ("response.code", "503"), ("'fixed'", "fixed"),
            ("\"a\\\"b\\n\"", "a\"b\n"), ("request.host + ':' + string(destination.port)", "shop.example:8080"),
            ("response.code < 400 ? 'good' : 'bad'", "bad"), ("connection.mtls", "true"), ("-5", "-5"), ("1.5", "1.5"),
            ("response.headers['x']", nil), ("'a' + response.headers['x']", nil),
        ] as [(String, String?)])
    func values(text: String, expected: String?) throws {
        #expect(try AttributeExpression(parsing: text).value(from: KnownRequest())?.text == expected)
    }

    @Test(
        "what cannot be evaluated is refused with its place",
        arguments: [
            ("", "unexpected the end of the expression (at character 1)"),
            ("request.hots == 'a'", "request.hots is no attribute that proxies of this mesh have (at character 1)"),
            ("response.code == '200'", "== compares int with string"),
            ("response.code = 200", "unexpected character ="),
            ("request.host", nil), ("response.code && true", "the left side of && must be bool; it is int"),
            ("request.host.upper('a')", "there is no function upper()"), ("foo(1)", "there is no function foo()"),
            ("(response.code", "expected ), found the end"), ("'abc", "the text has no end"),
            ("request.headers[0] == 'a'", "unexpected 0"), ("response.code in ['a']", "the list holds string"),
            ("1 + 2", "+ joins texts here"), ("true ? 1 : 'a'", "must have one type"),
            ("request.host.matches(request.path)", "must be a text in quotes"),
            ("duration('soon')", "duration() takes a text"), ("has(1)", "has() takes an attribute"),
            ("a.b.c.d", "a.b.c.d is no attribute"), ("request.host request.path", "unexpected request.path"),
            ("!response.code", "what follows ! must be bool"), ("99999999999999999999999", nil),
            ("filter_state['x']", "filter_state is no attribute"), ("request.time > 1", "request.time is no attribute"),
        ] as [(String, String?)])
    func refusals(text: String, reason: String?) {
        guard let reason else {
            #expect(throws: Never.self) { try AttributeExpression(parsing: text) }
            return
        }
        do {
            _ = try AttributeExpression(parsing: text)
            Issue.record("\(text) was taken")
        } catch {
            #expect("\(error)".contains(reason), "\(error)")
        }
    }

    @Test("an expression of any size or depth is answered, not crashed on")
    func bounds() {
        #expect(throws: AttributeExpressionError.self) {
            try AttributeExpression(parsing: String(repeating: "(", count: 4_000))
        }
        #expect(throws: AttributeExpressionError.self) {
            try AttributeExpression(parsing: "'" + String(repeating: "a", count: 5_000) + "'")
        }
        let long = Array(repeating: "true", count: 500).joined(separator: "||")
        #expect(throws: Never.self) { try AttributeExpression(parsing: long) }
    }

    @Test("an expression tells what it looks at")
    func attributes() throws {
        let expression = try AttributeExpression(
            parsing: "has(response.headers.x) && request.path.matches('^/a') || 'k' in response.trailers")
        #expect(
            expression.attributes == [
                .header(.response, "x"), .named(.requestPath), .header(.trailers, "k"),
            ])
        #expect(expression.patterns == ["^/a"])
    }
}
