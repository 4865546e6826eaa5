package import ArgumentParser

#if canImport(Glibc)
import Glibc
#endif

/// `weft-samples`: the workloads of tutorials and tests.
package struct SamplesCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "weft-samples", abstract: "Sample workloads for a mesh.",
        subcommands: [
            BookinfoCommand.self, Hello.self, Nginx.self, HttpbinCommand.self, Echo.self, FlakyCommand.self, Sleep.self,
            LoadCommand.self, TCPEcho.self, Greeter.self,
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
        let services = ["DETAILS", "REVIEWS", "RATINGS"].flatMap { ["\($0)_HOSTNAME", "\($0)_SERVICE_PORT"] }
        for name in services + ["SERVICES_DOMAIN"] {
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

struct HttpbinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "httpbin", abstract: "Shows the request that arrived.")
    @Option(help: "Port to listen on.") var port = 80
    func run() async throws { try await SampleServer.run(port: port) { await Httpbin.answer($0) } }
}

struct Echo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo", abstract: "Shows the request that arrived; HTTP/1.1, HTTP/2 and gRPC on one port.")
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
    @Option(help: "How many answers to each key fail.") var fail = 2
    @Option(help: "Status of a failure.") var status = 503
    @Option(help: "How many answers to each key are delayed; all when left out.") var slow: Int?
    @Option(help: "How long a delayed answer is held back: 3s, 250ms.") var delay = "0"

    func run() async throws {
        guard let delay = Flaky.milliseconds(delay) else { throw ValidationError("no duration: \(delay)") }
        guard (200...599).contains(status) else { throw ValidationError("no final status: \(status)") }
        let flaky = Flaky(.init(fail: fail, status: status, slow: slow, delayMilliseconds: delay))
        try await SampleServer.run(port: port) { await flaky.answer($0) }
    }
}

struct LoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Sends requests, counts the answers.")
    @Argument(help: "http://host[:port]/path") var url: String
    @Option(help: "How many requests; 0 is without end.") var requests = 0
    @Option(help: "How many at a time.") var concurrency = 1
    @Option(help: "Requests in a second; 0 is as fast as it goes.") var rate = 10.0

    func run() async throws {
        guard let target = Load.Target(url) else { throw ValidationError("no http URL: \(url)") }
        let outcome = await Load(target: target, requests: requests, concurrency: concurrency, rate: rate).run()
        for (status, count) in outcome.statuses.sorted(by: { $0.key < $1.key }) { print("\(status) \(count)") }
        print("p50 \(outcome.percentile(0.5)) ms, p99 \(outcome.percentile(0.99)) ms")
    }
}

struct TCPEcho: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tcp-echo", abstract: "Sends back what it gets.")
    @Option(help: "Port to listen on.") var port = 9000
    @Option(help: "Sent before each answer.") var prefix = ""
    func run() async throws { try await TCPSamples.echo(port: port, prefix: prefix) }
}

struct Greeter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "A TCP server that speaks first.")
    @Option(help: "Port to listen on.") var port = 3306
    @Option(help: "The line that it sends on accept.") var banner = "220 weft greeter ready"
    func run() async throws { try await TCPSamples.greeter(port: port, banner: banner) }
}

struct Sleep: AsyncParsableCommand {
    func run() async throws { while true { try await Task.sleep(for: .seconds(3600)) } }
}
