/// What a file of spans has, so that only files are read that may hold what is asked for. Kept in memory: a number
/// for each trace, and the names of services.
struct SpanFileIndex: Sendable {
    var size = 0
    private var from = Int64.max
    private var through = Int64.min
    private var traces: Set<Int> = []
    private(set) var services: Set<String> = []

    mutating func add(_ spans: [Span]) {
        for span in spans {
            from = min(from, span.start)
            through = max(through, span.start)
            traces.insert(span.traceID.hashValue)
            services.insert(span.service)
        }
    }

    /// True for a few that are not there, too: hashes are compared.
    func mayHold(trace id: String) -> Bool { traces.contains(id.hashValue) }

    /// Whether spans of a service, or of any, began within the microseconds.
    func holds(_ service: String?, in window: ClosedRange<Int64>) -> Bool {
        guard from <= through, window.overlaps(from...through) else { return false }
        return service.map(services.contains) ?? true
    }
}

/// Spans on disk that memory has let go of, read when somebody asks for them.
///
/// Reads files that may be appended to meanwhile, and takes the records that are whole. Holds one file, a sixteenth of
/// what the log may have, and the spans that it answers with.
struct SpanArchive: Sendable {
    /// The youngest first.
    let paths: [String]

    /// All spans of a few traces.
    func spans(of ids: Set<String>) -> [Span] {
        var found: [Span] = []
        for path in paths { read(path) { found += $0.filter { ids.contains($0.traceID) } } }
        return found
    }

    /// Identifiers of the youngest traces of which one span is wanted, from as few files as have enough of them.
    func traces(limit: Int, where wanted: (Span) -> Bool) -> [String] {
        var starts: [String: Int64] = [:]
        for path in paths where starts.count < limit {
            read(path) { spans in
                for span in spans where wanted(span) {
                    starts[span.traceID] = max(starts[span.traceID] ?? .min, span.start)
                }
            }
        }
        return starts.sorted { ($1.value, $1.key) < ($0.value, $0.key) }.prefix(limit).map(\.key)
    }

    /// A file that has gone meanwhile has nothing.
    private func read(_ path: String, _ body: ([Span]) -> Void) {
        guard let bytes = try? DiskFile.reading(path).readAll() else { return }
        RecordLog.eachRecord(of: bytes) {
            body(SpanCoding.decode($0) ?? [])
        } damaged: { _, _ in
        }
    }
}
