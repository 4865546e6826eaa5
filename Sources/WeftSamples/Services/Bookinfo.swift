import NIOCore
import NIOHTTP1
import WeftCore

/// The four services of Bookinfo, with the answers that its users know.
struct Bookinfo: Sendable {
    enum Part: String, Sendable, CaseIterable { case productpage, details, reviews, ratings }
    let part: Part
    let version: String
    let environment: [String: String]

    func answer(_ request: SampleRequest) async -> SampleResponse {
        if request.path == "/health" { return .json(#"{"status": "healthy"}"#) }
        if part == .productpage { return await productpage(request) }
        let segments = request.segments
        guard segments.count == 2, segments[0] == part.rawValue else {
            return .json(#"{"error": "no such path"}"#, status: 404)
        }
        guard let product = Int64(segments[1]) else {
            return .json(#"{"error": "please provide numeric product ID"}"#, status: 400)
        }
        guard request.method == "GET" || request.method == "HEAD" else {
            return .json(#"{"error": "method not allowed"}"#, status: 405)
        }
        switch part {
        case .details: return details(product)
        case .ratings:
            return .json(
                JSONValue.object(["id": .int(product), "ratings": ["Reviewer1": 5, "Reviewer2": 4]]).description)
        case .reviews, .productpage: return await reviews(request, product)
        }
    }

    private func details(_ product: Int64) -> SampleResponse {
        let book: JSONValue = [
            "id": .int(product), "author": "William Shakespeare", "year": 1595, "type": "paperback", "pages": 200,
            "publisher": "PublisherA", "language": "English", "ISBN-10": "1234567890", "ISBN-13": "123-1234567890",
        ]
        return .json(book.description)
    }

    private func host(_ name: String) -> String {
        let domain = environment["SERVICES_DOMAIN"].map { $0.isEmpty ? "" : ".\($0)" } ?? ""
        return environment["\(name.uppercased())_HOSTNAME"] ?? name + domain
    }

    private func fetch(_ name: String, _ request: SampleRequest, user: String? = nil) async -> (Int, JSONValue) {
        var headers = SampleClient.passedOn(request)
        // The page vouches for its user: what a browser claims in this header goes no further.
        if part == .productpage { headers.remove(name: "end-user") }
        if let user { headers.replaceOrAdd(name: "end-user", value: user) }
        let port = environment["\(name.uppercased())_SERVICE_PORT"].flatMap(Int.init) ?? 9080
        guard
            let (status, body) = try? await SampleClient.get(
                host: host(name), port: port, path: "/\(name)/0", headers: headers)
        else { return (503, ["error": .string("Sorry, product \(name) are currently unavailable.")]) }
        guard status == 200, let value = try? JSONValue(parsing: body) else {
            return (status, ["error": .string("Sorry, product \(name) are currently unavailable.")])
        }
        return (status, value)
    }

    private func reviews(_ request: SampleRequest, _ product: Int64) async -> SampleResponse {
        var reviews: [JSONValue] = [
            ["reviewer": "Reviewer1", "text": "An entertaining comedy of errors, and quick on its feet."],
            ["reviewer": "Reviewer2", "text": "Funny throughout, though slower than other comedies."],
        ]
        if version != "v1" {
            let (status, ratings) = await fetch("ratings", request)
            for (index, name) in ["Reviewer1", "Reviewer2"].enumerated() {
                if status == 200, let stars = ratings["ratings"]?[name]?.intValue {
                    reviews[index]["rating"] = [
                        "stars": .int(Int64(stars)), "color": version == "v3" ? "red" : "black",
                    ]
                } else {
                    reviews[index]["rating"] = ["error": "Ratings service is currently unavailable"]
                }
            }
        }
        let answer: JSONValue = [
            "id": .string(String(product)), "podname": .string(environment["HOSTNAME"] ?? ""), "clustername": "null",
            "reviews": .array(reviews),
        ]
        return .json(answer.description)
    }

    private func productpage(_ request: SampleRequest) async -> SampleResponse {
        let user = sessionUser(request)
        switch request.path {
        case "/": return .html("<h1>Bookinfo</h1><p><a href=\"/productpage\">Product page</a></p>")
        case "/login": return login(request)
        case "/logout":
            return SampleResponse(
                status: 302,
                headers: [("location", "/productpage"), ("set-cookie", "session=; Max-Age=0; Path=/; HttpOnly")])
        case "/api/v1/products": return .json(#"[{"id": 0, "title": "The Comedy of Errors"}]"#)
        case "/api/v1/products/0": return await api("details", request, user)
        case "/api/v1/products/0/reviews": return await api("reviews", request, user)
        case "/api/v1/products/0/ratings": return await api("ratings", request, user)
        case "/productpage": break
        default:
            if let file = Bookinfo.staticFiles[request.path] {
                return SampleResponse(headers: [("content-type", file.type)], body: file.body)
            }
            return .html("<h1>Not Found</h1>", status: 404)
        }
        let (_, details) = await fetch("details", request, user: user)
        let (_, reviews) = await fetch("reviews", request, user: user)
        return .html(Bookinfo.page(details, reviews, user: user))
    }

    private func api(_ name: String, _ request: SampleRequest, _ user: String?) async -> SampleResponse {
        let (status, value) = await fetch(name, request, user: user)
        return .json(value.description, status: status)
    }

    private func sessionUser(_ request: SampleRequest) -> String? {
        let cookies = request.headers[canonicalForm: "cookie"].flatMap { $0.split(separator: ";") }
        let session = cookies.map { $0.drop { $0 == " " } }.first { $0.hasPrefix("session=") }
        guard let name = session?.dropFirst(8), !name.isEmpty else { return nil }
        return Bookinfo.userName(name)
    }

    private func login(_ request: SampleRequest) -> SampleResponse {
        guard request.method == "POST" else { return .html("<h1>Method Not Allowed</h1>", status: 405) }
        let name = Bookinfo.userName(SampleRequest.form(String(buffer: request.body))["username"] ?? "")
        return SampleResponse(
            status: 302, headers: [("location", "/productpage"), ("set-cookie", "session=\(name); Path=/; HttpOnly")])
    }

    /// Only what is safe in a cookie and in a header.
    private static func userName(_ text: some StringProtocol) -> String {
        String(text.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }.prefix(64))
    }

    private static let staticFiles: [String: (type: String, body: String)] = [
        "/static/bootstrap.css": ("text/css", "body { font-family: sans-serif; margin: 2em }\n"),
        "/static/bootstrap/css/bootstrap.min.css": ("text/css", "body { font-family: sans-serif; margin: 2em }\n"),
        "/static/style.css": ("text/css", "blockquote { border-left: 3px solid #ccc; padding-left: 1em }\n"),
        "/static/jquery.min.js": ("text/javascript", "\n"),
    ]

    private static func escape(_ text: String) -> String {
        text.reduce(into: "") { result, letter in
            switch letter {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            default: result.append(letter)
            }
        }
    }

    private static func page(_ details: JSONValue, _ reviews: JSONValue, user: String?) -> String {
        var html = "<!DOCTYPE html><html><head><title>Simple Bookstore App</title>"
        html += "<link rel=\"stylesheet\" href=\"/static/style.css\"></head><body>"
        html += user.map { "<p>user: \(escape($0)) (<a href=\"/logout\">sign out</a>)</p>" } ?? "<p>not signed in</p>"
        html += "<h1>The Comedy of Errors</h1><h2>Book Details</h2>"
        if let error = details["error"]?.stringValue {
            html += "<p>Error fetching product details! \(escape(error))</p>"
        }
        for key in ["type", "pages", "publisher", "language", "ISBN-10", "ISBN-13"] {
            guard let value = details[key] else { continue }
            html += "<p><b>\(key)</b> \(escape(value.stringValue ?? value.description))</p>"
        }
        html += "<h2>Book Reviews</h2>"
        if let error = reviews["error"]?.stringValue {
            html += "<p>Error fetching product reviews! \(escape(error))</p>"
        }
        for review in reviews["reviews"]?.arrayValue ?? [] {
            html += "<blockquote>\(escape(review["text"]?.stringValue ?? ""))"
            html += "<cite>\(escape(review["reviewer"]?.stringValue ?? ""))</cite>"
            if let stars = review["rating"]?["stars"]?.intValue {
                let color = review["rating"]?["color"]?.stringValue ?? "black"
                html += "<span class=\"stars\" style=\"color:\(color)\">"
                html += String(
                    repeating: "<span class=\"glyphicon glyphicon-star\">&#9733;</span>", count: max(0, min(5, stars)))
                html += "</span>"
            } else if let error = review["rating"]?["error"]?.stringValue {
                html += "<i>\(escape(error))</i>"
            }
            html += "</blockquote>"
        }
        if let pod = reviews["podname"]?.stringValue { html += "<p>Reviews served by: <u>\(escape(pod))</u></p>" }
        return html + "</body></html>"
    }
}
