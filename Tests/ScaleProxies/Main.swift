/// `dev/scale`'s proxies: many in one process, as cheap as they can be, so that what is measured is the control plane.
///
///     weft-scale-proxies PORT PROXIES NAMESPACES
///
/// Connects them all to the plain discovery port on loopback, and takes orders on standard input, one per line. Each is
/// answered with one line of JSON on standard output; times are seconds of the kernel's monotonic clock.
///
/// - `synced`: `{"at": TIME, "bytes": N}` when every proxy has everything it asked for.
/// - `expect TYPE COUNT`: `{"armed": true}`, then `{"arrivals": [TIME, …]}` once COUNT proxies have been sent a response
///   of the type and have acknowledged it.
/// - `bytes`: `{"bytes": N}`, what all proxies have received so far.
/// - `reconnect`: every proxy closes its connection and comes back with the versions that it has; then as `synced`.
@main enum ScaleProxies {
    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap(Int.init)
        guard numbers.count == 3, numbers.allSatisfy({ $0 > 0 }) else {
            throw Usage(description: "usage: weft-scale-proxies PORT PROXIES NAMESPACES")
        }
        let fleet = Fleet(port: numbers[0], proxies: numbers[1], namespaces: numbers[2])
        try await fleet.start()
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            switch words.first {
            case "synced": await fleet.synced()
            case "bytes": Fleet.answer("{\"bytes\": \(fleet.ledger.bytes)}")
            case "reconnect": await fleet.reconnect()
            case "expect" where words.count == 3: await fleet.expect(words[1], count: Int(words[2]) ?? 1)
            default: throw Usage(description: "unknown order \"\(line)\"")
            }
        }
    }

    struct Usage: Error, CustomStringConvertible {
        var description: String
    }
}
