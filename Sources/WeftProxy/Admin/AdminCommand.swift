/// One admin page: where it is, what it is for, and who answers.
struct AdminCommand: Sendable {
    var path: String
    var help: String
    /// Query parameters and what they do, for `/help`.
    var parameters: [(name: String, help: String)] = []
    /// Changes something: anything but POST gets 405, as from Envoy.
    var mutates = false
    var answer: AdminServer.Route

    init(
        _ path: String, _ help: String, _ parameters: [(name: String, help: String)] = [], mutates: Bool = false,
        _ answer: @escaping AdminServer.Route
    ) {
        self.path = path
        self.help = help
        self.parameters = parameters
        self.mutates = mutates
        self.answer = answer
    }
}

/// The pages of an admin server: what `/help` lists is what is served. Immutable.
struct AdminCatalogue: Sendable {
    private let commands: [AdminCommand]

    /// - Parameter commands: The home page and `/help` are added.
    init(_ commands: [AdminCommand]) {
        let home = AdminCommand("/", "this list as a page") { _ in AdminReply("") }
        let help = AdminCommand("/help", "the pages and their parameters") { _ in AdminReply("") }
        self.commands = (commands + [home, help]).sorted { $0.path < $1.path }
    }

    private var listing: String {
        "admin commands are:\n"
            + commands.map { command in
                "  \(command.path)\(command.mutates ? " (POST)" : ""): \(command.help)\n"
                    + command.parameters.map { "      \($0.name): \($0.help)\n" }.joined()
            }.joined()
    }

    /// Pages that only read are links; the others need POST and are named.
    private var home: String {
        let rows = commands.map { command in
            let name = command.mutates ? command.path : "<a href=\"\(command.path)\">\(command.path)</a>"
            return "<tr><td>\(name)</td><td>\(command.help)</td></tr>\n"
        }
        return "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>weft-proxy</title></head>\n<body>\n<table>\n"
            + rows.joined() + "</table>\n</body>\n</html>\n"
    }

    var routes: [String: AdminServer.Route] {
        var routes: [String: AdminServer.Route] = [:]
        for command in commands {
            routes[command.path] = command.mutates ? AdminReply.post(command.answer) : command.answer
        }
        let (home, listing) = (home, listing)
        routes["/"] = { _ in AdminReply(home, contentType: "text/html; charset=UTF-8") }
        routes["/help"] = { _ in AdminReply(listing) }
        return routes
    }

    /// What answers for every other path.
    var fallback: AdminServer.Route {
        let text = "invalid path. " + listing
        return { _ in AdminReply(text, status: 404) }
    }
}
