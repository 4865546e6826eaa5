import Testing
import WeftConfig
import WeftCore
import WeftIR
import WeftTranslate
import WeftXDS

/// What holds for the configuration of every golden case, whatever it is about.
struct GoldenPropertyTests {
    @Test(arguments: GoldenCase.all)
    func goesOverTheWireUnchanged(_ golden: GoldenCase) throws {
        let configuration = try golden.input().translate().0
        let resources: [DecodedResource] =
            configuration.listeners.values.map { .listener($0) } + configuration.routes.values.map { .route($0) }
            + configuration.clusters.values.map { .cluster($0) } + configuration.endpoints.values.map { .endpoints($0) }
            + configuration.secrets.values.map { .secret($0) }
        #expect(!resources.isEmpty)
        for resource in resources {
            let result = try XDSDecoder().decode(XDSEncoder(target: .weft).encode(resource))
            #expect(result.value == resource, "\(golden.name): \(resource)")
            let ignored = Set(result.ignoredFields).subtracting(Self.harmless)
            #expect(ignored.isEmpty, "\(golden.name): \(ignored)")
        }
    }

    /// What a case makes can be shown by `/config_dump`, down to the last message, for either proxy.
    @Test(arguments: GoldenCase.all, [Target.weft, .envoy])
    func canBeShown(_ golden: GoldenCase, target: Target) throws {
        let configuration = try golden.input().translate().0
        let text = try ConfigDump.json(configuration, target: target).text()
        for cluster in configuration.clusters.values { #expect(text.contains("\"\(cluster.name)\""), "\(golden.name)") }
    }

    /// Written for Envoy: weft-proxy answers 503 for a cluster that is not there, as the field asks.
    private static let harmless: Set = ["envoy.config.route.v3.RouteConfiguration.validate_clusters"]

    /// Every resource that a case makes is one that Envoy's form of it can say, too.
    @Test(arguments: GoldenCase.all)
    func canBeSaidToEnvoy(_ golden: GoldenCase) throws {
        let configuration = try golden.input().translate().0
        let encoder = XDSEncoder(target: .envoy)
        for listener in configuration.listeners.values { _ = try encoder.encode(listener) }
        for table in configuration.routes.values { _ = try encoder.encode(table) }
        for cluster in configuration.clusters.values { _ = try encoder.encode(cluster) }
    }

    /// Objects that are hidden from the proxy, or are for others, change nothing.
    @Test(arguments: GoldenCase.all)
    func isNotChangedByWhatDoesNotConcernIt(_ golden: GoldenCase) throws {
        let input = try golden.input()
        let before = input.translate()
        let strangers = try ManifestReader.objects(in: Self.strangers).map(\.object)
        #expect(strangers.count == 7)
        let after = input.translate(adding: strangers)
        #expect(after.0 == before.0, "\(golden.name)")
        #expect(after.1 == before.1, "\(golden.name)")
    }

    private static let strangers = """
        {apiVersion: v1, kind: Service, metadata: {name: hidden, namespace: elsewhere, annotations: {networking.istio.io/exportTo: "."}}, spec: {clusterIP: 10.96.9.9, ports: [{name: http, port: 9080}]}}
        ---
        {apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v, namespace: elsewhere}, spec: {hosts: [reviews.bookinfo.svc.cluster.local], exportTo: ["."], http: [{directResponse: {status: 418}}]}}
        ---
        {apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: delegate, namespace: elsewhere}, spec: {http: [{directResponse: {status: 418}}]}}
        ---
        {apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: d, namespace: elsewhere}, spec: {host: reviews.bookinfo.svc.cluster.local, trafficPolicy: {loadBalancer: {simple: RANDOM}}}}
        ---
        {apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g, namespace: elsewhere}, spec: {selector: {istio: nobody}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}}
        ---
        {apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: p, namespace: elsewhere}, spec: {mtls: {mode: STRICT}}}
        ---
        {apiVersion: v1, kind: Secret, metadata: {name: web, namespace: elsewhere}, data: {tls.crt: QQ==, tls.key: QQ==}}
        """
}
