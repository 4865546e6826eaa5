import FoundationEssentials
import WeftConfig
import WeftCore
import WeftTelemetry
import WeftTranslate

/// Which pods to scrape, and the labels their series get: those of the Prometheus that Istio's samples install. Pure.
enum ProxyTargets {
    /// Every pod that asks for it by annotation (`prometheus.io/scrape`, `port`, `path`; injection sets them to port
    /// 15020, where the application's metrics are merged in), and every connected proxy without one, at 15090.
    ///
    /// A connected proxy whose pod is not known to run yet, or ends, is scraped where the pod is: the same counters
    /// under another instance would look like new ones, whose first requests show in no rate.
    static func targets(_ proxies: [ProxyIdentity], pods: [KubernetesObject]) -> [ScrapeTarget] {
        var targets: [ScrapeTarget] = []
        var annotated: Set<String> = []
        var byName: [String: KubernetesObject] = [:]
        for pod in pods {
            byName["\(pod.name).\(pod.namespace)"] = pod
            guard pod.annotations["prometheus.io/scrape"] == "true", pod.deletionTimestamp == nil,
                pod.json[path: "status", "phase"]?.stringValue == "Running",
                let address = pod.json[path: "status", "podIP"]?.stringValue, !address.isEmpty
            else { continue }
            let target = annotatedTarget(pod, at: address)
            annotated.insert("\(pod.name).\(pod.namespace)")
            targets.append(target)
        }
        for proxy in proxies where !annotated.contains("\(proxy.podName).\(proxy.namespace)") {
            let pod = byName["\(proxy.podName).\(proxy.namespace)"]
            if let pod, pod.annotations["prometheus.io/scrape"] == "true" {
                targets.append(annotatedTarget(pod, at: proxy.address))
                continue
            }
            let instance = "\(host(proxy.address)):15090"
            targets.append(
                ScrapeTarget(
                    url: "http://\(instance)/stats/prometheus",
                    labels: labels(pod?.labels ?? proxy.labels, proxy.namespace, proxy.podName, instance),
                    began: pod.flatMap(began)))
        }
        return targets
    }

    private static func annotatedTarget(_ pod: KubernetesObject, at address: String) -> ScrapeTarget {
        let annotations = pod.annotations
        let port = annotations["prometheus.io/port"].flatMap { UInt16($0) } ?? 15020
        let path = annotations["prometheus.io/path"] ?? "/metrics"
        let scheme = annotations["prometheus.io/scheme"] == "https" ? "https" : "http"
        let instance = "\(host(address)):\(port)"
        return ScrapeTarget(
            url: "\(scheme)://\(instance)\(path.hasPrefix("/") ? path : "/" + path)",
            labels: labels(pod.labels, pod.namespace, pod.name, instance), began: began(pod))
    }

    /// When the pod's containers had not started yet, milliseconds since 1970.
    private static func began(_ pod: KubernetesObject) -> Int64? {
        guard let text = pod.json[path: "status", "startTime"]?.stringValue,
            let date = try? Date(text, strategy: .iso8601)
        else { return nil }
        return Int64(date.timeIntervalSince1970 * 1000)
    }

    private static func host(_ address: String) -> String { address.contains(":") ? "[\(address)]" : address }

    private static func labels(
        _ own: [String: String], _ namespace: String, _ pod: String, _ instance: String
    ) -> [String: String] {
        var labels: [String: String] = [:]
        for (name, value) in own { labels[sanitized(name)] = value }
        labels["job"] = "kubernetes-pods"
        labels["instance"] = instance
        labels["namespace"] = namespace
        labels["pod"] = pod
        return labels
    }

    /// Whatever a label name may not hold becomes an underscore.
    private static func sanitized(_ name: String) -> String {
        let text = String(
            decoding: name.utf8.map { MetricNames.isLabel("a" + String(UnicodeScalar($0))) ? $0 : 95 }, as: UTF8.self)
        return MetricNames.isLabel(text) ? text : "_" + text
    }
}
