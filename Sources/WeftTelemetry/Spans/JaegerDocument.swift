extension JSONText {
    mutating func null() { element("null") }
}

/// A trace in the form of Jaeger's API.
enum JaegerDocument {
    /// A service together with its process's tags.
    private struct Process: Hashable {
        var service: String
        var tags: [Tag]
    }

    static func write(_ trace: Trace, to text: inout JSONText) {
        var processes: [Process: String] = [:]
        for span in trace.spans {
            let process = Process(service: span.service, tags: span.resource)
            if processes[process] == nil { processes[process] = "p\(processes.count + 1)" }
        }
        text.object { text in
            text.strings([("traceID", trace.id)])
            text.key("spans")
            text.list { text in
                for span in trace.spans.sorted(by: { ($0.start, $0.spanID) < ($1.start, $1.spanID) }) {
                    write(span, processes[Process(service: span.service, tags: span.resource)] ?? "", to: &text)
                }
            }
            text.key("processes")
            text.object { text in
                for (process, name) in processes.sorted(by: { $0.value < $1.value }) {
                    text.key(name)
                    text.object { text in
                        text.strings([("serviceName", process.service)])
                        tags("tags", process.tags, to: &text)
                    }
                }
            }
            text.key("warnings")
            text.null()
        }
    }

    private static func write(_ span: Span, _ process: String, to text: inout JSONText) {
        text.object { text in
            text.strings([("traceID", span.traceID), ("spanID", span.spanID), ("operationName", span.operation)])
            text.key("references")
            text.list { text in
                if let parent = span.parentID {
                    text.object { text in
                        text.strings([("refType", "CHILD_OF"), ("traceID", span.traceID), ("spanID", parent)])
                    }
                }
            }
            text.key("startTime")
            text.integer(span.start)
            text.key("duration")
            text.integer(span.duration)
            tags("tags", span.tags, to: &text)
            text.key("logs")
            text.list { text in
                for event in span.events {
                    text.object { text in
                        text.key("timestamp")
                        text.integer(event.time)
                        tags("fields", event.tags, to: &text)
                    }
                }
            }
            text.strings([("processID", process)])
            text.key("warnings")
            text.null()
        }
    }

    private static func tags(_ key: String, _ tags: [Tag], to text: inout JSONText) {
        text.key(key)
        text.list { text in
            for tag in tags {
                text.object { text in
                    text.strings([("key", tag.key)])
                    switch tag.value {
                    case .string(let value): text.strings([("type", "string"), ("value", value)])
                    case .bool(let value):
                        text.strings([("type", "bool")])
                        text.key("value")
                        text.bool(value)
                    case .integer(let value):
                        text.strings([("type", "int64")])
                        text.key("value")
                        text.integer(value)
                    case .double(let value):
                        text.strings([("type", "float64")])
                        text.key("value")
                        text.number(value)
                    }
                }
            }
        }
    }
}
