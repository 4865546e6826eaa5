import ArgumentParser
import WeftConfig
import WeftCore
import WeftKubernetes

/// `wait`: returns when every proxy that an object concerns has confirmed it as it is now.
struct WaitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Wait until all affected proxies have a configuration object.",
        discussion: """
            Examples:
              weft wait --for=distribution virtualservice reviews.bookinfo
              weft wait --for=distribution gateway/front -n dev --timeout 1m
              istioctl experimental wait --for=distribution vs reviews.bookinfo
            """)

    @Option(name: .customLong("for"), help: "What to wait for; 'distribution' is what there is.")
    var condition = "distribution"
    @Option(help: "How long to wait: 30s, 2m, 1h.")
    var timeout = "30s"
    @Option(help: "Share of the affected proxies that is enough, 0 to 1.")
    var threshold = 1.0
    @Argument(help: "KIND NAME[.NAMESPACE] or KIND/NAME[.NAMESPACE].")
    var target: [String] = []
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard condition == "distribution" else {
            throw ValidationError("--for=\(condition) is unknown; only --for=distribution can be waited for")
        }
        guard GoDuration.seconds(timeout) != nil else {
            throw ValidationError("--timeout \(timeout) is no duration; write for example 30s or 2m")
        }
        guard (0...1).contains(threshold) else { throw ValidationError("--threshold is a share from 0 to 1") }
        _ = try WaitTarget(target)
    }

    func run() async throws {
        let target = try WaitTarget(target)
        let limit = ContinuousClock.now + .seconds(GoDuration.seconds(timeout) ?? 30)
        try await global.withClient { client in
            let resource = try await target.resource(client)
            let namespace = target.namespace ?? global.chosenNamespace(client)
            let plane = ControlPlane(client: client, namespace: global.istioNamespace)
            let object = try await client.get(resource, namespace: namespace, name: target.name)
            while true {
                let report = try await plane.distribution(of: object)
                if let report, Double(report.confirmed) >= Double(report.concerned) * threshold {
                    print(
                        "\(resource.kind) \(namespace)/\(target.name), generation \(object.generation): "
                            + "\(report.confirmed)/\(report.concerned) proxies up to date.")
                    return
                }
                guard ContinuousClock.now < limit else { throw Self.failure(report, object, timeout) }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private static func failure(_ report: DistributionReport?, _ object: KubernetesObject, _ timeout: String)
        -> CommandFailure
    {
        guard let report else {
            return CommandFailure(
                "\(object.reference) is not known to the control plane after \(timeout); see 'weft proxy-status' and "
                    + "'kubectl logs -n istio-system deploy/istiod'.")
        }
        return CommandFailure(
            "\(object.reference): \(report.confirmed)/\(report.concerned) proxies have it after \(timeout); waiting for "
                + "\(report.waiting.joined(separator: ", ")). 'kubectl describe' of the object says if one refused it.")
    }
}

/// The object that a user waits for: `virtualservice reviews.bookinfo`, `vs/reviews`.
struct WaitTarget: Equatable {
    var kind: String
    var name: String
    var namespace: String?

    init(_ arguments: [String]) throws {
        var parts = arguments
        if parts.count == 1, let slash = parts[0].firstIndex(of: "/") {
            parts = [String(parts[0][..<slash]), String(parts[0][parts[0].index(after: slash)...])]
        }
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw ValidationError(
                "name one object: KIND NAME[.NAMESPACE], for example: virtualservice reviews.bookinfo")
        }
        kind = parts[0].lowercased()
        name = parts[1]
        if let dot = name.lastIndex(of: ".") {
            namespace = String(name[name.index(after: dot)...])
            name = String(name[..<dot])
        }
    }

    /// The kind's place in the API, by its name, plural or short name.
    func resource(_ client: KubernetesClient) async throws -> APIResource {
        let groups = [
            "networking.istio.io/v1", "security.istio.io/v1", "telemetry.istio.io/v1", "networking.istio.io/v1alpha3",
            "networking.istio.io/v1beta1", "extensions.istio.io/v1alpha1", "gateway.networking.k8s.io/v1",
            "gateway.networking.k8s.io/v1beta1", "gateway.networking.k8s.io/v1alpha2",
        ]
        let long = Self.shortNames[kind] ?? kind
        let short = long.prefix { $0 != "." }
        // Istio and the Gateway API both have Gateways: `gateways.gateway.networking.k8s.io` says which.
        let wanted = long.dropFirst(short.count + 1)
        for group in groups where wanted.isEmpty || group.hasPrefix("\(wanted)/") {
            for resource in try await client.resources(apiVersion: group) {
                if [resource.kind.lowercased(), resource.name].contains(String(short)) { return resource }
            }
        }
        throw CommandFailure("there is no configuration kind \"\(kind)\"; see 'kubectl api-resources'.")
    }

    /// The names that `kubectl` takes for short, as the kinds' definitions have them.
    static let shortNames = [
        "vs": "virtualservices.networking.istio.io", "dr": "destinationrules.networking.istio.io",
        "gw": "gateways.networking.istio.io", "se": "serviceentries.networking.istio.io",
        "we": "workloadentries.networking.istio.io", "wg": "workloadgroups.networking.istio.io",
        "ap": "authorizationpolicies.security.istio.io", "pa": "peerauthentications.security.istio.io",
        "ra": "requestauthentications.security.istio.io", "telemetry": "telemetries.telemetry.istio.io",
        "gc": "gatewayclasses.gateway.networking.k8s.io", "gtw": "gateways.gateway.networking.k8s.io",
        "lset": "listenersets.gateway.networking.k8s.io", "refgrant": "referencegrants.gateway.networking.k8s.io",
        "btlspolicy": "backendtlspolicies.gateway.networking.k8s.io",
    ]
}

/// `experimental` (`x`): where istioctl keeps `wait` and `workload`.
struct ExperimentalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "experimental", abstract: "Commands in istioctl's places.",
        discussion: """
            Examples:
              weft experimental wait --for=distribution virtualservice reviews.bookinfo
              weft experimental workload group create --name vm --namespace dev
            """, subcommands: [WaitCommand.self, WorkloadCommand.self],
        aliases: ["x", "exp"])
}
