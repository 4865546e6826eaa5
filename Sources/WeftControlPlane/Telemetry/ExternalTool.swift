import FoundationEssentials
import WeftCore
import WeftTelemetry

/// A real Prometheus or Jaeger that the dashboard reads instead of the store of its own: what the pages ask is asked
/// there, under the same paths.
///
/// Only what reads is passed on. Nothing of the asking browser's headers goes along.
struct ExternalTool: Sendable {
    /// The tools, with the paths behind their API's root that only read.
    enum Kind: Sendable {
        case prometheus, jaeger

        fileprivate var root: String { self == .prometheus ? "/api/v1/" : "/api/" }

        fileprivate func isReading(_ parts: [Substring]) -> Bool {
            switch self {
            case .prometheus:
                let plain: Set<Substring> = [
                    "query", "query_range", "series", "labels", "metadata", "targets", "query_exemplars",
                ]
                return parts.count == 1 && plain.contains(parts[0])
                    || parts.count == 3 && parts[0] == "label" && parts[2] == "values"
                    || parts.count == 2 && parts[0] == "status"
            case .jaeger:
                let plain: Set<Substring> = ["services", "operations", "traces", "dependencies"]
                return parts.first.map(plain.contains) ?? false
            }
        }
    }
    /// An answer as the tool gave it.
    struct Answer: Sendable {
        var status: Int
        var type: String
        var body: [UInt8]
    }
    /// Gets a URL.
    typealias Fetch = @Sendable (_ url: String) async throws -> Answer

    private let kind: Kind
    private let base: String
    private let fetch: Fetch

    /// Why an address cannot be used.
    struct InvalidAddress: Error, Hashable, CustomStringConvertible {
        var description: String
    }

    /// - Parameter base: Where the tool is: `http://prometheus.monitoring:9090`, with a path where it has a prefix.
    init(_ kind: Kind, base: String, fetch: @escaping Fetch) throws(InvalidAddress) {
        guard let url = URL(string: base), let scheme = url.scheme, ["http", "https"].contains(scheme.lowercased()),
            url.host?.isEmpty == false, url.query == nil, url.user == nil
        else {
            throw InvalidAddress(
                description:
                    "\"\(base)\" is no address of a server: write for example http://prometheus.monitoring:9090")
        }
        self.kind = kind
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.fetch = fetch
    }

    /// - Parameter path: Behind the API's root.
    func respond(_ path: String, _ parameters: FormParameters) async -> APIResponse {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard kind.isReading(parts), !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            return failure(404, "\(base) is asked for what can be read alone, not for \(path.prefix(100))")
        }
        let place = parts.map { FormParameters.decoded(Array($0.utf8)[...]).pathEscaped }.joined(separator: "/")
        let query = parameters.pairs.map { "\($0.name.pathEscaped)=\($0.value.pathEscaped)" }
        let url = base + kind.root + place + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        do {
            let answer = try await fetch(url)
            // A page that answers instead, such as one to log in, is not passed on.
            guard answer.type.hasPrefix("application/json") else {
                return failure(502, "\(base) answers \(answer.status) without JSON: is this the tool itself?")
            }
            return APIResponse(status: answer.status, body: answer.body)
        } catch {
            return failure(502, "\(base) does not answer: \(error)")
        }
    }

    /// In the tool's own form.
    private func failure(_ status: Int, _ words: String) -> APIResponse {
        let value: JSONValue =
            switch kind {
            case .prometheus: ["status": "error", "errorType": "unavailable", "error": .string(words)]
            case .jaeger:
                [
                    "data": nil, "total": 0, "limit": 0, "offset": 0,
                    "errors": [["code": .int(Int64(status)), "msg": .string(words)]],
                ]
            }
        return APIResponse(status: status, body: value.serialized())
    }
}
