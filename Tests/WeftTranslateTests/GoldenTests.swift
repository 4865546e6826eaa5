import Foundation
import Testing
import WeftConfig
import WeftCore
import WeftIR
import WeftTranslate

/// One feature as a pair of files: objects in (`NAME.in.yaml`), the configuration they become out (`NAME.out.yaml`).
///
/// The first document of an input is of kind `Case`: which proxy, which base of common objects, and which resources to show.
struct GoldenCase: Sendable, CustomTestStringConvertible {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")
    static let updates = ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1"
    let name: String
    var testDescription: String { name }

    static let all: [GoldenCase] = files.filter { $0.hasSuffix(".in.yaml") }.map {
        GoldenCase(name: String($0.dropLast(8)))
    }.sorted { $0.name < $1.name }
    static var files: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] }

    func url(_ suffix: String) -> URL { Self.folder.appending(path: "\(name).\(suffix).yaml") }

    /// What a case translates: the objects, the mesh's settings and the proxy.
    struct Input {
        var header: KubernetesObject
        var objects: [KubernetesObject]
        var mesh: MeshConfig
        var proxy: ProxyIdentity

        /// - Parameter more: objects that come on top.
        func translate(adding more: [KubernetesObject] = []) -> (ProxyConfiguration, [Diagnostic]) {
            Translator(MeshSnapshot(objects: objects + more, meshConfig: mesh)).configuration(for: proxy)
        }
    }

    func input() throws -> Input {
        let input = try ManifestReader.objects(
            in: String(contentsOf: url("in"), encoding: .utf8), file: "\(name).in.yaml"
        ).map(\.object)
        let header = try #require(input.first { $0.kind == "Case" }, "the first document must be of kind Case")
        var objects = input.filter { $0.kind != "Case" }
        if let base = header.json["base"]?.stringValue {
            let url = Self.folder.appending(path: "base/\(base).yaml")
            objects += try ManifestReader.objects(in: String(contentsOf: url, encoding: .utf8)).map(\.object)
        }
        let mesh = try header.json["meshConfig"]?.decode(MeshConfig.self) ?? MeshConfig()
        let proxy = try #require(
            ProxyIdentity(
                nodeID: header.json["proxy"]?.stringValue ?? "", metadata: header.json["metadata"] ?? .object([:])))
        return Input(header: header, objects: objects, mesh: mesh, proxy: proxy)
    }

    func result() throws -> String {
        let input = try input()
        let (header, (configuration, diagnostics)) = (input.header, input.translate())
        var shown: [String: JSONValue] = ["names": names(configuration)]
        for pattern in header.json["show"]?.arrayValue?.compactMap(\.stringValue) ?? [] {
            if pattern.hasPrefix("security/") {
                shown["security"] = try security(String(pattern.dropFirst(9)), of: configuration)
                continue
            }
            try show(pattern, of: JSONValue(encoding: configuration), into: &shown)
        }
        if header.json["status"] == true {
            let snapshot = MeshSnapshot(objects: input.objects, meshConfig: input.mesh)
            let statuses = snapshot.gatewayAPI.statuses.map { ($0.resource.description, $0.status) }
            shown["status"] = .object(Dictionary(statuses) { first, _ in first })
        }
        if !configuration.patches.isEmpty {
            shown["patches"] = try Self.pruned(JSONValue(encoding: configuration.patches))
        }
        if let names = configuration.names { shown["nameTable"] = try JSONValue(encoding: names) }
        if !diagnostics.isEmpty { shown["diagnostics"] = try JSONValue(encoding: diagnostics) }
        return YAMLWriter.text(.object(shown))
    }

    /// Every resource by name: nothing appears or goes without being seen.
    private func names(_ configuration: ProxyConfiguration) -> JSONValue {
        func list(_ keys: some Sequence<String>) -> JSONValue { .array(keys.sorted().map { .string($0) }) }
        return [
            "listeners": list(configuration.listeners.keys), "routes": list(configuration.routes.keys),
            "clusters": list(configuration.clusters.keys), "endpoints": list(configuration.endpoints.keys),
            "secrets": list(configuration.secrets.keys),
        ]
    }

    private static func asks(_ filter: NetworkFilter) -> Bool {
        if case .externalAuthorization = filter { true } else { false }
    }

    /// `security/PORT`: what a port's connections and requests are held to, without the rest of the chain.
    private func security(_ port: String, of configuration: ProxyConfiguration) throws -> JSONValue {
        let chains = configuration.listeners.values.sorted { $0.name < $1.name }.flatMap { listener in
            listener.filterChains.filter { $0.name == "0.0.0.0_\(port)" || listener.name == "0.0.0.0_\(port)" }
        }
        try #require(!chains.isEmpty, "no chain is for port \(port)")
        var result: [String: JSONValue] = [:]
        for chain in chains where chain.filters.contains(where: Self.asks) {
            let own = chain.filters.filter { if case .rbac = $0 { true } else { Self.asks($0) } }
            result["connection"] = Self.pruned(try JSONValue(encoding: own))
        }
        for filter in chains.flatMap(\.filters) {
            switch filter {
            case .httpConnectionManager(let manager):
                let own = manager.filters.filter {
                    switch $0.kind {
                    case .rbac, .jwt, .externalAuthorization: true
                    default: false
                    }
                }
                result["http"] = Self.pruned(try JSONValue(encoding: own))
            case .rbac(let rules): result["tcp"] = Self.pruned(try JSONValue(encoding: rules))
            default: break
            }
        }
        return .object(result)
    }

    /// `section/name`; what is empty or null is left out.
    private func show(_ pattern: String, of configuration: JSONValue, into shown: inout [String: JSONValue]) throws {
        let parts = pattern.split(separator: "/", maxSplits: 1).map(String.init)
        let section = configuration[parts[0]]?.objectValue ?? [:]
        let found = section.filter { parts.count == 1 || $0.key == parts[1] }
        try #require(!found.isEmpty, "nothing is called \(pattern)")
        var members = shown[parts[0]]?.objectValue ?? [:]
        for (name, value) in found { members[name] = Self.pruned(value) }
        shown[parts[0]] = .object(members)
    }

    /// Settings that Istio has no words for, with their defaults: left out while they say nothing else.
    private static let silent: [String: JSONValue] = {
        let rare = [
            "enforcingLocalOriginSuccessRatePercent", "successRateMinimumHosts", "successRateRequestVolume",
            "successRateStandardDeviationFactor", "failurePercentageThreshold", "enforcingFailurePercentage",
            "enforcingFailurePercentageLocalOrigin", "failurePercentageMinimumHosts",
            "failurePercentageRequestVolume", "maxEjectionJitterMilliseconds", "activeHealthCheckUnejects",
        ]
        let outlier = (try? JSONValue(encoding: OutlierDetection()).objectValue) ?? [:]
        let action = (try? JSONValue(encoding: RouteAction(cluster: .cluster(""))).objectValue) ?? [:]
        let cluster = (try? JSONValue(encoding: Cluster(name: "", discovery: .static)).objectValue) ?? [:]
        return outlier.filter { rare.contains($0.key) }
            .merging(cluster.filter { ["balancing", "preconnect", "dns"].contains($0.key) }) { $1 }
            .merging(action.filter { $0.key == "priority" }) { $1 }
    }()

    /// Enum cases read `case` or `case: value`; what is empty, null or false goes, unless false is the news.
    private static func pruned(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            if members.count == 1, let (key, only) = members.first {
                if key == "_0" { return pruned(only) }
                if only == .object([:]) { return .string(key) }
            }
            let empty: Set<JSONValue> = [.null, [], .object([:]), .bool(false), ""]
            let told = members.filter { silent[$0.key] != $0.value }
            return .object(told.mapValues(pruned).filter { $0.key == "bindToPort" || !empty.contains($0.value) })
        case .array(let elements): return .array(elements.map(pruned))
        default: return value
        }
    }
}

@Test(arguments: GoldenCase.all)
func translatesAsRecorded(_ golden: GoldenCase) throws {
    let result = try golden.result()
    if GoldenCase.updates {
        try result.write(to: golden.url("out"), atomically: true, encoding: .utf8)
        return
    }
    let expected = try String(contentsOf: golden.url("out"), encoding: .utf8)
    let difference = zip(
        expected.split(separator: "\n", omittingEmptySubsequences: false),
        result.split(separator: "\n", omittingEmptySubsequences: false)
    )
    .enumerated().first { $0.element.0 != $0.element.1 }
    #expect(
        result == expected,
        "\(golden.name).out.yaml differs at line \((difference?.offset ?? -1) + 1): expected \(difference?.element.0 ?? ""), got \(difference?.element.1 ?? ""). UPDATE_GOLDEN=1 rewrites."
    )
}

@Test func noGoldenFileIsOrphaned() {
    let cases = Set(GoldenCase.all.map(\.name))
    for file in GoldenCase.files where file != "base" {
        #expect(
            file.hasSuffix(".in.yaml") || (file.hasSuffix(".out.yaml") && cases.contains(String(file.dropLast(9)))),
            "\(file) belongs to no case")
    }
    #expect(cases.count >= 18)
}
