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
        switch part {
        case .details: return details(request)
        case .ratings:
            return .json(JSONValue.object(["id": 0, "ratings": ["Reviewer1": 5, "Reviewer2": 4]]).description)
        case .reviews: return await reviews(request)
        case .productpage: return await productpage(request)
        }
    }

    private func details(_ request: SampleRequest) -> SampleResponse {
        let book: JSONValue = [
            "id": 0, "author": "William Shakespeare", "year": 1595, "type": "paperback", "pages": 200,
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

    private func reviews(_ request: SampleRequest) async -> SampleResponse {
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
            "id": "0", "podname": .string(environment["HOSTNAME"] ?? ""), "clustername": "null",
            "reviews": .array(reviews),
        ]
        return .json(answer.description)
    }

    private func productpage(_ request: SampleRequest) async -> SampleResponse {
        let session = (request.headers.first(name: "cookie") ?? "").split(separator: ";")
            .map { $0.drop { $0 == " " } }.first { $0.hasPrefix("user=") }.map { String($0.dropFirst(5)) }
        let user = session ?? request.headers.first(name: "end-user")
        switch request.path {
        case "/": return .html("<h1>Bookinfo</h1><p><a href=\"/productpage\">Product page</a></p>")
        case "/login": return login(request)
        case "/logout":
            return SampleResponse(
                status: 302, headers: [("location", "/productpage"), ("set-cookie", "user=; Max-Age=0; Path=/")])
        case "/api/v1/products": return .json(#"[{"id": 0, "title": "The Comedy of Errors"}]"#)
        case "/api/v1/products/0": return await api("details", request, user)
        case "/api/v1/products/0/reviews": return await api("reviews", request, user)
        case "/api/v1/products/0/ratings": return await api("ratings", request, user)
        case "/productpage": break
        default:
            if request.path.hasPrefix("/static/") { return .text("body { font-family: sans-serif }") }
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

    private func login(_ request: SampleRequest) -> SampleResponse {
        let fields = String(buffer: request.body).split(separator: "&")
        let user =
            fields.first { $0.hasPrefix("username=") }.map { $0.dropFirst(9).filter { $0.isLetter || $0.isNumber } }
            ?? ""
        return SampleResponse(
            status: 302, headers: [("location", "/productpage"), ("set-cookie", "user=\(user); Path=/")])
    }

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
        var html = "<!DOCTYPE html><html><head><title>Simple Bookstore App</title></head><body>"
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
