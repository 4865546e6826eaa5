/// Requests for a table: most of them aim at one of its routes.
extension RandomTable {
    private static let scripts = [
        "status=503|status=200", "status=404", "status=503|status=503|status=200", "reset|status=200", "chunked",
        "header=x-a:up", "header=x-new:up", "status=204", "size=5000", "status=500", "fin|status=200", "status=304",
        "header=x-new:1|status=200", "status=409|status=201", "status=429", "header=server:own", "size=0", "status=301",
        "header=x-envoy-upstream-healthchecked-cluster:c", "header=set-cookie:a=b;header=set-cookie:c=d", "close",
    ]

    private mutating func requestHeaders() -> [String] {
        var headers: [String] = []
        for name in Self.names where random.chance(40) { headers.append("\(name): \(random.pick(Self.values))") }
        if random.chance(15) { headers.append("x-a: \(random.pick(Self.values))") }
        if random.chance(20) { headers.append("x-id-free: \(random.pick(Self.values))") }
        if random.chance(40) { headers.append("x-cluster: \(random.pick(["a", "b", "nowhere", "h2"]))") }
        if random.chance(15) { headers.append("cookie: \(random.pick(["c=1", "b=2; c=two", "one=1"]))") }
        if random.chance(10) {
            headers.append("origin: \(random.pick(["http://a.example", "https://b.example", "null"]))")
        }
        if random.chance(5) { headers.append("content-type: \(random.pick(["application/grpc", "text/plain"]))") }
        if random.chance(5) {
            headers.append("x-forwarded-for: \(random.pick(["1.2.3.4", "1.2.3.4, 5.6.7.8", "junk"]))")
        }
        if random.chance(4) { headers.append("x-forwarded-proto: \(random.pick(["https", "http"]))") }
        if random.chance(35) { headers.append("x-do: \(random.pick(Self.scripts))") }
        return headers
    }

    private mutating func requestTarget() -> String {
        var target = !paths.isEmpty && random.chance(65) ? random.pick(paths) : path()
        switch random.below(20) {
        case 0, 1, 2: target += "/"
        case 3, 4: target += path(1)
        case 5: target += random.pick(["x", ".html", ";p=1", "%20", "%2F", "//", "/./", "/../a", "%zz", "~", "*"])
        case 6: target = target.uppercased()
        default: break
        }
        if random.chance(35) {
            let pairs = (0...random.below(2)).map { _ in
                "\(random.pick(Self.parameters))=\(random.pick(["one", "two", "12", "", "One", "a%2Cb", "a+b"]))"
            }
            target += "?" + pairs.joined(separator: "&")
        } else if random.chance(4) {
            target += random.pick(["?", "?&", "?one", "?one&q=two", "?q=two?one", "?=x", "?q=one=two"])
        }
        return target
    }

    mutating func sending() -> Sending {
        var headers = requestHeaders()
        let target = requestTarget()
        if random.chance(6) { headers.append("host: {host}:\(random.pick([80, 1234]))") }
        let made: Sending
        switch random.below(12) {
        case 0: made = request("HEAD", target, headers)
        case 1, 2:
            let body = String(repeating: "b", count: random.below(2000))
            made = request("POST", target, headers + ["content-length: \(body.utf8.count)"], body: body)
        case 3: made = request("DELETE", target, headers)
        case 4:
            let body = String(repeating: "c", count: 1 + random.below(300))
            let chunk = "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
            made = request("PUT", target, headers + ["transfer-encoding: chunked"], body: chunk)
        case 5: made = request("OPTIONS", target, headers + ["access-control-request-method: GET"])
        default: made = request("GET", target, headers)
        }
        return random.chance(20) ? made.http2() : made
    }
}
