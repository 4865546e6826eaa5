/// Many instant vectors in one short answer, for a page that draws thousands of edges: every name and label value is
/// written once, and all queries are evaluated at one time.
extension PrometheusAPI {
    /// Queries that one request may have.
    private static let mostQueries = 32

    /// - Parameter parameters: `query`, as often as wanted, and `time`, as the API's `query` takes it.
    /// - Returns: ``SeriesTable/text(at:)``, or an error in the API's form.
    package func respondTable(_ parameters: FormParameters) -> APIResponse {
        // Whoever asks for the present gets what the others got in the same second.
        guard parameters["time"] == nil else { return table(parameters) }
        return tables.answer(to: parameters.all("query"), second: now() / 1000) { table(parameters) }
    }

    private func table(_ parameters: FormParameters) -> APIResponse {
        do {
            let time = try parameters["time"].map { try Self.time($0, "time") } ?? now()
            let queries = parameters.all("query")
            guard !queries.isEmpty, queries.count <= Self.mostQueries else {
                throw PromQLError(.badData, "a table is made of 1 to \(Self.mostQueries) queries, not \(queries.count)")
            }
            var table = SeriesTable()
            for vector in vectors(queries, at: time) { table.add(try vector.get()) }
            return APIResponse(status: 200, body: table.text(at: time))
        } catch let error as PromQLError {
            return failure(error)
        } catch {
            return failure(PromQLError(.internal, "\(error)"))
        }
    }

    private typealias Vector = [(labels: Labels, value: Double)]

    /// Evaluates the queries on all cores. They end when the caller's task is cancelled.
    private func vectors(_ queries: [String], at time: Int64) -> [Result<Vector, any Error>] {
        withUnsafeCurrentTask { task in
            let caller = CallingTask(task: task)
            return AllCores.map(queries.count) { number in
                Result { try vector(queries[number], at: time) { caller.isCancelled } }
            }
        }
    }

    /// The task that waits for the cores: it outlives their work, and may be asked from any thread whether it goes on.
    private struct CallingTask: @unchecked Sendable {
        let task: UnsafeCurrentTask?
        var isCancelled: Bool { task?.isCancelled ?? false }
    }

    private func vector(
        _ query: String, at time: Int64, isCancelled: @escaping @Sendable () -> Bool
    ) throws -> Vector {
        let expression: Expression
        do {
            expression = try PromQLParser.parse(query)
        } catch {
            throw PromQLError(.badData, "invalid parameter \"query\": \(error.message)")
        }
        guard expression.type == .vector else {
            throw PromQLError(.badData, "a table is made of instant vectors; \(PromQLText.quoted(query)) is none")
        }
        return try QueryEngine(source: store, limits: limits)
            .unorderedVector(expression, at: time, isCancelled: isCancelled)
    }
}

/// Vectors whose names and values are written once.
struct SeriesTable {
    private var strings: [String] = []
    private var places: [String: Int] = [:]
    /// The labels of one store are shared objects: most are found without looking at their text.
    private var known: [ObjectIdentifier: (name: Int, value: Int)] = [:]
    /// Keeps them alive, so that an address stands for one label.
    private var held: [Label] = []
    private var tables: [(labels: [Int], keys: [Int], values: [Double])] = []

    private mutating func place(_ text: String) -> Int {
        if let place = places[text] { return place }
        places[text] = strings.count
        strings.append(text)
        return strings.count - 1
    }

    private mutating func places(_ label: Label) -> (name: Int, value: Int) {
        if let places = known[ObjectIdentifier(label)] { return places }
        let made = (place(label.name), place(label.value))
        known[ObjectIdentifier(label)] = made
        held.append(label)
        return made
    }

    mutating func add(_ vector: [(labels: Labels, value: Double)]) {
        var columns: [Int] = []
        var column: [Int: Int] = [:]
        let rows = vector.map { one in
            one.labels.pairs.map { pair in
                let (name, value) = places(pair)
                if column[name] == nil {
                    column[name] = columns.count
                    columns.append(name)
                }
                return (name, value)
            }
        }
        var keys = Array(repeating: -1, count: rows.count * columns.count)
        for (row, pairs) in rows.enumerated() {
            for (name, value) in pairs { keys[row * columns.count + (column[name] ?? 0)] = value }
        }
        tables.append((columns, keys, vector.map(\.value)))
    }

    /// `{"time": SECONDS, "strings": [TEXT, …], "tables": [{"labels": [PLACE, …], "keys": [PLACE, …], "values": [NUMBER,
    /// …]}, …]}`. `keys` has a place in `strings` for each label of each series, row after row; -1 stands for a label
    /// that is not there. A value that JSON cannot say is `null`.
    func text(at time: Int64) -> [UInt8] {
        var text = JSONText()
        text.object { text in
            text.key("time")
            text.time(time)
            text.key("strings")
            text.list { text in for string in strings { text.string(string) } }
            text.key("tables")
            text.list { text in
                for table in tables {
                    text.object { text in
                        text.key("labels")
                        text.list { text in for place in table.labels { text.integer(Int64(place)) } }
                        text.key("keys")
                        text.list { text in for place in table.keys { text.integer(Int64(place)) } }
                        text.key("values")
                        text.list { text in
                            for value in table.values {
                                if value.isFinite { text.number(value) } else { text.element("null") }
                            }
                        }
                    }
                }
            }
        }
        return text.bytes
    }
}
