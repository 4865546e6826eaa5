/// What is known about series, targets and the program, without their samples.
extension PrometheusAPI {
    private func selectors(_ parameters: FormParameters) throws(PromQLError) -> [[LabelMatcher]] {
        var result: [[LabelMatcher]] = []
        for text in parameters.all("match[]") {
            do throws(PromQLError) {
                guard case .vector(let selector) = try PromQLParser.parse(text), selector.shift == TimeShift() else {
                    throw PromQLError(.badData, "it is no plain series selector")
                }
                result.append(selector.matchers)
            } catch {
                throw PromQLError(.badData, "invalid parameter \"match[]\": \(error.message)")
            }
        }
        return result
    }

    private func window(_ parameters: FormParameters) throws(PromQLError) -> (from: Int64, through: Int64) {
        var window = (from: Int64.min, through: Int64.max)
        if let text = parameters["start"] { window.from = try Self.time(text, "start") }
        if let text = parameters["end"] { window.through = try Self.time(text, "end") }
        return window
    }

    private func found(_ parameters: FormParameters) throws(PromQLError) -> Set<Labels> {
        let (from, through) = try window(parameters)
        var found: Set<Labels> = []
        for matchers in try selectors(parameters) {
            found.formUnion(store.labels(matchers, from: from, through: through))
        }
        return found
    }

    func series(_ parameters: FormParameters) throws(PromQLError) -> (inout JSONText) -> Void {
        guard !parameters.all("match[]").isEmpty else { throw PromQLError(.badData, "no match[] parameter provided") }
        let list = try found(parameters).sorted(by: Labels.precedes)
        return { text in
            text.list { text in
                for labels in list {
                    text.object { text in text.strings(labels.pairs.map { ($0.name, $0.value) }) }
                }
            }
        }
    }

    func labels(_ parameters: FormParameters) throws(PromQLError) -> (inout JSONText) -> Void {
        let names =
            parameters.all("match[]").isEmpty
            ? store.labelNames : Set(try found(parameters).flatMap { $0.pairs.map(\.name) }).sorted()
        return { text in text.list { text in for name in names { text.string(name) } } }
    }

    func values(_ label: String, _ parameters: FormParameters) throws(PromQLError) -> (inout JSONText) -> Void {
        let name = FormParameters.decoded(Array(label.utf8)[...])
        guard MetricNames.isLabel(name) else {
            throw PromQLError(.badData, "invalid label name: \(PromQLText.quoted(name))")
        }
        let values =
            parameters.all("match[]").isEmpty
            ? store.labelValues(name) : Set(try found(parameters).map { $0[name] }).subtracting([""]).sorted()
        return { text in text.list { text in for value in values { text.string(value) } } }
    }

    func metadata(_ parameters: FormParameters) throws(PromQLError) -> (inout JSONText) -> Void {
        var families = metadata().sorted { $0.key < $1.key }
        if let metric = parameters["metric"] { families = families.filter { $0.key == metric } }
        if let text = parameters["limit"] {
            guard let limit = Int(text) else { throw PromQLError(.badData, "limit must be a number") }
            if limit >= 0 { families = Array(families.prefix(limit)) }
        }
        return { text in
            text.object { text in
                for (name, family) in families {
                    text.key(name)
                    text.list { text in
                        text.object { text in
                            text.strings([("type", family.kind), ("help", family.help), ("unit", family.unit)])
                        }
                    }
                }
            }
        }
    }

    func targets(_ parameters: FormParameters) -> (inout JSONText) -> Void {
        let statuses = parameters["state"] == "dropped" ? [] : statuses()
        return { text in
            text.object { text in
                text.key("activeTargets")
                text.list { text in for status in statuses { Self.write(status, to: &text) } }
                text.empty("droppedTargets")
            }
        }
    }

    private static func write(_ status: TargetStatus, to text: inout JSONText) {
        let job = status.target.labels["job"] ?? ""
        text.object { text in
            text.key("discoveredLabels")
            text.object { text in text.strings([("__address__", status.target.labels["instance"] ?? "")]) }
            text.key("labels")
            text.object { text in text.strings(status.target.labels.sorted { $0.key < $1.key }) }
            text.strings([
                ("scrapePool", job), ("scrapeUrl", status.target.url), ("globalUrl", status.target.url),
                ("lastError", status.error ?? status.warning ?? ""),
                ("lastScrape", TimeText.text(status.lastScrape ?? -62_135_596_800_000)),
                ("health", status.lastScrape == nil ? "unknown" : status.error == nil ? "up" : "down"),
                ("scrapeInterval", "15s"), ("scrapeTimeout", "2s"),
            ])
            text.key("lastScrapeDuration")
            text.number(status.seconds)
        }
    }

    // MARK: - Status

    func status(_ page: String) throws(PromQLError) -> (inout JSONText) -> Void {
        let statistics = store.statistics
        let retention = "1d"
        switch page {
        case "buildinfo":
            let version = version
            // Tools read the version to know what the API can do: this is the one it was compared with.
            return { text in
                text.object { text in
                    text.strings([
                        ("version", "2.42.0"), ("revision", "weft-\(version)"), ("branch", "weft"),
                        ("buildUser", "weft"),
                        ("buildDate", ""), ("goVersion", ""),
                    ])
                }
            }
        case "runtimeinfo":
            return { text in
                text.object { text in
                    text.strings([("storageRetention", retention), ("CWD", "/"), ("GODEBUG", ""), ("GOGC", "")])
                    text.key("reloadConfigSuccess")
                    text.bool(true)
                    text.key("corruptionCount")
                    text.integer(Int64(clamping: statistics.corruptions))
                    text.key("timeSeriesCount")
                    text.integer(Int64(statistics.series))
                }
            }
        case "config":
            return { $0.object { $0.strings([("yaml", "global:\n  scrape_interval: 15s\n  scrape_timeout: 2s\n")]) } }
        case "flags":
            return {
                $0.object { $0.strings([("storage.tsdb.retention.time", retention), ("query.lookback-delta", "5m")]) }
            }
        case "tsdb":
            return { text in
                text.object { text in
                    text.key("headStats")
                    text.object { text in
                        for (name, value) in [
                            ("numSeries", Int64(statistics.series)), ("chunkCount", Int64(statistics.blocks)),
                            ("minTime", statistics.minTime ?? 0), ("maxTime", statistics.maxTime ?? 0),
                        ] {
                            text.key(name)
                            text.integer(value)
                        }
                    }
                }
            }
        default: throw PromQLError(.notFound, "there is no /api/v1/status/\(page)")
        }
    }
}
