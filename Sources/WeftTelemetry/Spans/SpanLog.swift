import Logging

/// Spans on disk: numbered append-only files, the oldest of which goes when they are too many. Not thread-safe.
final class SpanLog: @unchecked Sendable {
    private let folder: String
    private let limit: Int
    private let logger: Logger
    private var current: RecordLog?
    private var number = 0
    private var files: [Int: SpanFileIndex] = [:]

    init(folder: String, limit: Int, logger: Logger) throws(DiskError) {
        self.folder = folder
        self.limit = limit
        self.logger = logger
        try DiskFolder.make(folder)
    }

    private func path(_ number: Int) -> String {
        let digits = String(number)
        return folder + "/spans-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".log"
    }

    func replay(_ body: ([Span]) -> Void) throws(DiskError) {
        for name in try DiskFolder.names(folder) where name.hasPrefix("spans-") && name.hasSuffix(".log") {
            guard let found = Int(name.dropFirst(6).dropLast(4)) else { continue }
            number = max(number, found)
            var index = SpanFileIndex()
            let log = try RecordLog.open(path(found)) { content in
                guard let spans = SpanCoding.decode(content) else {
                    logger.error("\(name) has a record that makes no sense; its spans are lost")
                    return
                }
                index.add(spans)
                body(spans)
            } damaged: {
                logger.error("\($0.description)")
            }
            index.size = log.size
            files[found] = index
        }
        number += 1
    }

    func append(_ spans: [Span]) throws(DiskError) {
        if let open = current, open.size > limit / 16 {
            number += 1
            current = nil
        }
        if current == nil {
            current = try RecordLog.open(path(number), { _ in }, damaged: { _ in })
            removeOldest()
        }
        try current?.append(SpanCoding.encode(spans))
        files[number, default: SpanFileIndex()].add(spans)
        files[number]?.size = current?.size ?? 0
    }

    private func removeOldest() {
        while files.values.reduce(0, { $0 + $1.size }) > limit, let oldest = files.keys.min() {
            files[oldest] = nil
            DiskFolder.remove(path(oldest))
        }
    }

    /// Services of all spans on disk.
    var services: Set<String> { files.values.reduce(into: []) { $0.formUnion($1.services) } }

    /// The files that may have what is asked for.
    func archive(where mayHold: (SpanFileIndex) -> Bool) -> SpanArchive {
        SpanArchive(paths: files.filter { mayHold($0.value) }.keys.sorted(by: >).map(path))
    }
}

/// Spans as the log has them.
enum SpanCoding {
    static func encode(_ spans: [Span]) -> [UInt8] {
        var writer = ByteWriter()
        for span in spans {
            for text in [span.traceID, span.spanID, span.parentID ?? "", span.service, span.operation, span.kind] {
                writer.string(text)
            }
            writer.signed(span.start)
            writer.signed(span.duration)
            writer.varint(span.isError ? 1 : 0)
            encode(span.tags, to: &writer)
            encode(span.resource, to: &writer)
            writer.varint(UInt64(span.events.count))
            for event in span.events {
                writer.signed(event.time)
                encode(event.tags, to: &writer)
            }
        }
        return writer.bytes
    }

    private static func encode(_ tags: [SpanTag], to writer: inout ByteWriter) {
        writer.varint(UInt64(tags.count))
        for tag in tags {
            writer.string(tag.key)
            switch tag.value {
            case .string(let text):
                writer.varint(0)
                writer.string(text)
            case .bool(let value): writer.varint(value ? 2 : 1)
            case .integer(let value):
                writer.varint(3)
                writer.signed(value)
            case .double(let value):
                writer.varint(4)
                writer.fixed(value.bitPattern)
            }
        }
    }

    static func decode(_ bytes: ArraySlice<UInt8>) -> [Span]? {
        var reader = ByteReader(bytes)
        var spans: [Span] = []
        while !reader.isAtEnd {
            var texts: [String] = []
            for _ in 0..<6 {
                guard let text = reader.string() else { return nil }
                texts.append(text)
            }
            guard let start = reader.signed(), let duration = reader.signed(), let error = reader.varint(),
                let tags = Self.tags(&reader), let resource = Self.tags(&reader), let count = reader.varint(),
                count <= 10_000
            else { return nil }
            var events: [SpanEvent] = []
            for _ in 0..<count {
                guard let time = reader.signed(), let tags = Self.tags(&reader) else { return nil }
                events.append(SpanEvent(time: time, tags: tags))
            }
            spans.append(
                Span(
                    traceID: texts[0], spanID: texts[1], parentID: texts[2].isEmpty ? nil : texts[2], service: texts[3],
                    operation: texts[4], kind: texts[5], start: start, duration: duration, tags: tags, events: events,
                    resource: resource, isError: error == 1))
        }
        return spans
    }

    private static func tags(_ reader: inout ByteReader) -> [SpanTag]? {
        guard let count = reader.varint(), count <= 10_000 else { return nil }
        var tags: [SpanTag] = []
        for _ in 0..<count {
            guard let key = reader.string(), let kind = reader.varint() else { return nil }
            let value: TagValue?
            switch kind {
            case 0: value = reader.string().map(TagValue.string)
            case 1, 2: value = .bool(kind == 2)
            case 3: value = reader.signed().map(TagValue.integer)
            case 4: value = reader.fixed64().map { .double(Double(bitPattern: $0)) }
            default: value = nil
            }
            guard let value else { return nil }
            tags.append(SpanTag(key, value))
        }
        return tags
    }
}
