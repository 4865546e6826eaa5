import WeftCore

/// Checks of Telemetries.
enum TelemetryChecks {
    static func check(_ spec: Telemetry, _ findings: inout Findings) {
        findings.attachment(spec.selector, spec.targetRef, spec.targetRefs)
        for (index, tracing) in (spec.tracing ?? []).enumerated() {
            check(tracing, "spec.tracing[\(index)]", &findings)
        }
        if (spec.tracing ?? []).count > 1 {
            findings.warning("spec.tracing", "multiple tracing is not currently supported; only the first is read")
        }
        for (index, metrics) in (spec.metrics ?? []).enumerated() {
            check(metrics, "spec.metrics[\(index)]", &findings)
        }
        for (index, log) in (spec.accessLogging ?? []).enumerated() {
            let path = "spec.accessLogging[\(index)]"
            providers(log.providers, path, &findings)
            guard let filter = log.filter else { continue }
            expression(filter.expression ?? "", "\(path).filter.expression", mustBe: .bool, &findings)
        }
    }

    /// Refuses what the proxies cannot evaluate, with the place in the text.
    private static func expression(
        _ text: String, _ path: String, mustBe type: RequestAttribute.ValueType?, _ findings: inout Findings
    ) {
        guard !text.isEmpty else { return findings.error(path, "expression must not be empty") }
        do throws(AttributeExpressionError) {
            let expression = try AttributeExpression(parsing: text)
            if let type, expression.type != type {
                findings.error(path, "the expression must be \(type); it is \(expression.type)")
            }
            for pattern in expression.patterns { findings.regex(pattern, path) }
        } catch {
            findings.error(path, "the expression cannot be used: \(error)", hint: attributeHint)
        }
    }

    private static let attributeHint =
        "attributes are those of request, response, source, destination, connection, upstream and xds; "
        + "functions are has, size, string, duration, startsWith, endsWith, contains and matches"

    private static func check(_ tracing: Telemetry.Tracing, _ path: String, _ findings: inout Findings) {
        providers(tracing.providers, path, &findings)
        if (tracing.providers ?? []).count > 1 {
            findings.warning(
                "\(path).providers", "multiple providers is not currently supported; only the first is used")
        }
        findings.percent(tracing.randomSamplingPercentage, "\(path).randomSamplingPercentage")
        if tracing.disableContextPropagation == true {
            findings.warning(
                "\(path).disableContextPropagation",
                "disableContextPropagation has no effect: proxies pass trace contexts on whenever they trace",
                hint: "set disableSpanReporting to report no spans")
        }
        for (name, tag) in (tracing.customTags ?? [:]).sorted(by: { $0.key < $1.key }) {
            let place = "\(path).customTags[\(name)]"
            if name.isEmpty { findings.error("\(path).customTags", "tag name must not be empty") }
            let given = [tag.literal != nil, tag.environment != nil, tag.header != nil, tag.formatter != nil]
            if given.filter({ $0 }).count != 1 {
                findings.error(place, "exactly one of literal, environment, header and formatter must be set")
            }
            if let literal = tag.literal, (literal.value ?? "").isEmpty {
                findings.error("\(place).literal.value", "literal tag value must not be empty")
            }
            if let variable = tag.environment, (variable.name ?? "").isEmpty {
                findings.error("\(place).environment.name", "environment tag name must not be empty")
            }
            if let header = tag.header, (header.name ?? "").isEmpty {
                findings.error("\(place).header.name", "header tag name must not be empty")
            }
            if let formatter = tag.formatter {
                let place = "\(place).formatter.value"
                let text = formatter.value ?? ""
                if text.isEmpty { findings.error(place, "formatter tag value must not be empty") }
                findings.format(text, place, "formatter tag value")
            }
        }
    }

    private static func check(_ metrics: Telemetry.Metrics, _ path: String, _ findings: inout Findings) {
        providers(metrics.providers, path, &findings)
        findings.duration(metrics.reportingInterval, "\(path).reportingInterval")
        if metrics.reportingInterval != nil {
            findings.warning(
                "\(path).reportingInterval",
                "reportingInterval has no effect: metrics of open TCP connections are always up to date")
        }
        for (index, override) in (metrics.overrides ?? []).enumerated() {
            let place = "\(path).overrides[\(index)]"
            if override.match?.metric != nil, override.match?.customMetric != nil {
                findings.error("\(place).match", "only one of metric and customMetric may be set")
            }
            if let custom = override.match?.customMetric {
                if custom.isEmpty {
                    findings.error("\(place).match.customMetric", "customMetric must not be empty")
                } else {
                    findings.warning(
                        "\(place).match.customMetric", "no proxy has a metric of its own called \(custom)",
                        hint: "use metric with one of Istio's standard metrics")
                }
            }
            for (name, tag) in (override.tagOverrides ?? [:]).sorted(by: { $0.key < $1.key }) {
                let value = tag.value ?? ""
                if !isLabel(name) {
                    findings.error("\(place).tagOverrides", "\"\(name)\" cannot be the name of a label of a metric")
                }
                switch tag.operation ?? .upsert {
                case .upsert where value.isEmpty:
                    findings.error("\(place).tagOverrides[\(name)].value", "value must be set when operation is UPSERT")
                case .remove where !value.isEmpty:
                    findings.error(
                        "\(place).tagOverrides[\(name)].value", "value must not be set when operation is REMOVE")
                case .upsert:
                    expression(value, "\(place).tagOverrides[\(name)].value", mustBe: nil, &findings)
                case .remove: break
                }
            }
        }
    }

    /// Prometheus's form of label names; those that begin with two underscores are its own.
    private static func isLabel(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix("__")
            && name.utf8.enumerated().allSatisfy { index, byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
                    true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): index > 0
                default: false
                }
            }
    }

    private static func providers(_ list: [Telemetry.ProviderReference]?, _ path: String, _ findings: inout Findings) {
        for (index, provider) in (list ?? []).enumerated() where (provider.name ?? "").isEmpty {
            findings.error("\(path).providers[\(index)].name", "providers: provider name must not be empty")
        }
    }
}
