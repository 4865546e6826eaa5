package import ArgumentParser

#if canImport(Glibc)
import Glibc
#endif

/// `weft-samples`: the workloads of tutorials and tests.
package struct SamplesCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "weft-samples", abstract: "Sample workloads for a mesh.",
        subcommands: [
            BookinfoCommand.self, Hello.self, Nginx.self, Httpbin.self, Echo.self, FlakyCommand.self, Sleep.self,
        ])
    package init() {}
}

private func setting(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }

private func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    let own = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return setting("HOSTNAME").isEmpty ? own : setting("HOSTNAME")
}

struct BookinfoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bookinfo", abstract: "One service of Bookinfo.")
    @Argument(help: "productpage, details, reviews or ratings.") var part: String
    @Option(help: "v1, v2 or v3 of reviews.") var version = "v1"
    @Option(help: "Port to listen on.") var port = 9080

    func run() async throws {
        guard let part = Bookinfo.Part(rawValue: part) else {
            throw ValidationError("no such service: \(self.part); choose productpage, details, reviews or ratings")
        }
        var environment = ["HOSTNAME": hostName()]
        for name in ["DETAILS", "REVIEWS", "RATINGS"].flatMap({ ["\($0)_HOSTNAME"] }) + ["SERVICES_DOMAIN"] {
            if !setting(name).isEmpty { environment[name] = setting(name) }
        }
        let service = Bookinfo(part: part, version: version, environment: environment)
        try await SampleServer.run(port: port) { await service.answer($0) }
    }
}

struct Hello: AsyncParsableCommand {
    @Option(help: "Port to listen on.") var port = 80
    func run() async throws {
        let host = hostName()
        try await SampleServer.run(port: port) { SmallServices.hello($0, host: host) }
    }
}

struct Nginx: AsyncParsableCommand {
    @Option(help: "Port to listen on.") var port = 80
    func run() async throws { try await SampleServer.run(port: port) { SmallServices.nginx($0) } }
}

struct Httpbin: AsyncParsableCommand {
    @Option(help: "Port to listen on.") var port = 80
    func run() async throws { try await SampleServer.run(port: port) { await SmallServices.httpbin($0) } }
}

struct Echo: AsyncParsableCommand {
    @Option(help: "Port to listen on.") var port = 80
    func run() async throws {
        let host = hostName()
        let version = setting("VERSION")
        try await SampleServer.run(port: port) { SmallServices.echo($0, host: host, version: version) }
    }
}

struct FlakyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "flaky", abstract: "Fails N times, then answers.")
    @Option(help: "Port to listen on.") var port = 80
    @Option(help: "How many answers fail.") var fail = 2
    @Option(help: "Status of a failure.") var status = 503
    @Option(help: "Seconds that the first answer takes.") var delayFirst = 0.0
    func run() async throws {
        let flaky = Flaky(fail: fail, status: status, delay: delayFirst)
        try await SampleServer.run(port: port) { await flaky.answer($0) }
    }
}

struct Sleep: AsyncParsableCommand {
    func run() async throws { while true { try await Task.sleep(for: .seconds(3600)) } }
}
