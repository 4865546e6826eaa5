import ArgumentParser
import Foundation
import NIOCore
import WeftCore
import WeftKubernetes

/// `tap`: requests as they pass.
struct TapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tap", abstract: "Watch requests live: decision, identity and latency of each.",
        discussion: """
            Proxies tell of a request only while somebody watches; query strings and header values are never told. Both the
            caller's and the callee's proxy tell: choose one with --reporter. Ends with Ctrl-C.
            Examples:
              weft tap deploy/reviews-v1.bookinfo
              weft tap -n bookinfo --status 5xx,0
              weft tap --source productpage --path /reviews --min-latency 100 -o json
            """)

    @Argument(help: "Only the proxy of this workload: POD[.NAMESPACE] or deploy/NAME[.NAMESPACE].")
    var workload: String?
    @Option(help: "Whose word: source or destination.") var reporter: String?
    @Option(help: "Part of the caller's namespace/workload or identity.") var source: String?
    @Option(help: "Part of the callee's namespace/workload, service or identity.") var destination: String?
    @Option(help: "Method, such as GET.") var method: String?
    @Option(help: "What the path begins with.") var path: String?
    @Option(help: "Part of the authority.") var host: String?
    @Option(help: "Status: 404, 5xx, 400-499; 0 is no answer; commas between.") var status: String?
    @Option(help: "Response flags such as UH,NR, or any.") var flags: String?
    @Option(help: "Milliseconds that a request must have taken.") var minLatency: Double?
    @Option(help: "Requests a second, at most 1000.") var max = 100
    @Option(help: "End after so many requests.") var count: Int?
    @Option(name: [.short, .long], help: "Output: table or json (one object a line).") var output = OutputFormat.table
    @OptionGroup var global: GlobalOptions

    /// The filter in the words of the control plane.
    func filter() throws -> [(String, String)] {
        var filter: [(String, String?)] = [
            ("reporter", reporter), ("source", source), ("destination", destination), ("method", method),
            ("path", path), ("host", host), ("status", status), ("flags", flags),
            ("minLatency", minLatency.map { "\($0)" }), ("max", "\(max)"),
        ]
        if let workload {
            let reference = try WorkloadReference(workload)
            filter.append((reference.kind == .pod ? "pod" : "workload", reference.name))
            filter.append(("namespace", reference.namespace ?? global.namespace))
        } else {
            filter.append(("namespace", global.namespace))
        }
        return filter.compactMap { name, value in value.map { (name, $0) } }
    }

    func run() async throws {
        let filter = try filter()
        try await global.withClient { client in
            let plane = ControlPlane(client: client, namespace: global.istioNamespace)
            let printer = TapPrinter(isJSON: output == .json, limit: count)
            try await withThrowingTaskGroup(of: Void.self) { group in
                // A proxy is connected to one of them.
                for pod in try await plane.pods() {
                    let events = try await plane.tap(pod, filter)
                    group.addTask {
                        var reader = EventReader()
                        for try await bytes in events {
                            for event in reader.read(bytes.readableBytesView) where !(await printer.take(event)) {
                                return
                            }
                        }
                        throw CommandFailure("the control plane \(pod) ended the stream; try again.")
                    }
                }
                try await group.next()
                group.cancelAll()
            }
        }
    }
}

/// One event of a stream as the HTML standard has them (section 9.2).
struct StreamEvent: Sendable, Equatable {
    var name: String
    var data: String
}

/// Cuts a stream of bytes into events. Comments are passed over.
struct EventReader: Sendable {
    private var rest: [UInt8] = []
    private var event = StreamEvent(name: "", data: "")
    /// A line longer than this is no event of ours.
    static let lineLimit = 1 << 20

    mutating func read(_ bytes: some Collection<UInt8>) -> [StreamEvent] {
        var events: [StreamEvent] = []
        rest += bytes
        while let end = rest.firstIndex(of: 10) {
            let line = String(decoding: rest[..<end], as: UTF8.self)
            rest.removeFirst(end + 1)
            if line.isEmpty {
                if !event.data.isEmpty { events.append(event) }
                event = StreamEvent(name: "", data: "")
            } else if line.hasPrefix("event:") {
                event.name = line.dropFirst(6).trimmingCharacters(in: .whitespaces)
            } else if line.hasPrefix("data:") {
                event.data += line.dropFirst(5).trimmingCharacters(in: .whitespaces)
            }
        }
        if rest.count > Self.lineLimit { rest = [] }
        return events
    }
}

/// Writes events to the terminal, from however many control planes they come.
actor TapPrinter {
    private let isJSON: Bool
    private let limit: Int?
    private var shown = 0

    init(isJSON: Bool, limit: Int?) {
        self.isJSON = isJSON
        self.limit = limit
    }

    /// - Returns: `false` when enough was shown.
    func take(_ event: StreamEvent) -> Bool {
        guard let data = try? JSONValue(parsing: event.data) else { return true }
        switch event.name {
        case "request":
            print(isJSON ? data.text() : Self.line(data))
            shown += 1
        case "hello":
            note("\(data["proxies"]?.intValue ?? 0) proxies tell of their requests")
        case "silent":
            note(
                "\(data["proxies"]?.intValue ?? 0) proxies tell nothing: they are Envoy, which has no tap; what they "
                    + "exchange with other proxies is told by those")
        case "lost":
            note("\(data["count"]?.intValue ?? 0) requests are left out: there were more than --max")
        default: break
        }
        fflush(nil)
        return limit.map { shown < $0 } ?? true
    }

    private func note(_ words: String) { FileHandle.standardError.write(Data("# \(words)\n".utf8)) }

    /// One request on one line. Whatever a client wrote, no control character reaches the terminal.
    static func line(_ entry: JSONValue) -> String {
        func text(_ path: String...) -> String? {
            entry[path: path[...]]?.stringValue.map { text in
                String(
                    String.UnicodeScalarView(
                        text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
            }
        }
        func party(_ name: String) -> String {
            guard let workload = text(name, "workload"), workload != "unknown" else {
                return text(name, "principal") ?? text(name, "service") ?? text(name, "address") ?? "unknown"
            }
            return "\(workload).\(text(name, "namespace") ?? "")"
        }
        let time = Date(timeIntervalSince1970: (entry["time"]?.doubleValue ?? 0) / 1000)
        let seconds = Int(time.timeIntervalSince1970) % 86_400
        let clock = String(format: "%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60)
        let lock = entry["mtls"]?.boolValue.map { $0 ? "mtls" : "plain" } ?? "-"
        var line = "\(clock) \(text("reporter") ?? "-") \(party("source")) -> \(party("destination")) \(lock) "
        line += "\(text("method") ?? "-") \(text("host") ?? "")\(text("path") ?? "") \(entry["status"]?.intValue ?? 0) "
        line += String(format: "%.1fms", entry["latency"]?.doubleValue ?? 0)
        if let status = entry["grpcStatus"]?.intValue { line += " grpc=\(status)" }
        if let flags = text("flags"), flags != "-" { line += " flags=\(flags)" }
        if let details = text("details"), details != "via_upstream" { line += " details=\(details)" }
        if let origin = text("routeConfig") { line += " by=\"\(origin)\"" }
        if let attempts = entry["attempts"]?.intValue, attempts > 1 { line += " attempts=\(attempts)" }
        if let principal = text("source", "principal"), principal != "unknown" { line += " id=\(principal)" }
        return line
    }
}
