import Foundation
import Testing
import WeftIR

@testable import WeftProxy

/// A folder that goes with the test.
private struct Folder: ~Copyable {
    let url = FileManager.default.temporaryDirectory.appending(path: "weft-resources-\(UUID().uuidString)")
    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appending(path: name).path() }

    /// As an editor or an operator does it: written beside, then moved into place.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let beside = path(".\(name).new")
        try text.write(toFile: beside, atomically: false, encoding: .utf8)
        guard rename(beside, path(name)) == 0 else { throw CocoaError(.fileWriteUnknown) }
        return path(name)
    }
}

private let types = "type.googleapis.com/envoy"

private func routes(_ name: String, status: Int, domain: String = "*") -> String {
    """
    - "@type": \(types).config.route.v3.RouteConfiguration
      name: \(name)
      virtual_hosts:
      - {name: v, domains: ["\(domain)"], routes: [{match: {prefix: /}, direct_response: {status: \(status)}}]}

    """
}

private func listener(_ name: String, routesFile: String) -> String {
    """
    - "@type": \(types).config.listener.v3.Listener
      name: \(name)
      address: {socket_address: {address: 127.0.0.1, port_value: 0}}
      filter_chains:
      - filters:
        - name: m
          typed_config:
            "@type": \(types).extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
            stat_prefix: m
            rds: {route_config_name: r, config_source: {path_config_source: {path: \(routesFile)}}}
            http_filters:
            - {name: r, typed_config: {"@type": \(types).extensions.filters.http.router.v3.Router}}

    """
}

private func cluster(_ name: String, endpointsFile: String) -> String {
    """
    - "@type": \(types).config.cluster.v3.Cluster
      name: \(name)
      type: EDS
      eds_cluster_config: {eds_config: {path_config_source: {path: \(endpointsFile)}}}

    """
}

private func endpoints(_ name: String, port: Int) -> String {
    """
    - "@type": \(types).config.endpoint.v3.ClusterLoadAssignment
      cluster_name: \(name)
      endpoints:
      - {lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: \(port)}}}}]}

    """
}

private func status(_ configuration: ProxyConfiguration) -> UInt16? {
    guard case .directResponse(let response)? = configuration.routes["r"]?.virtualHosts.first?.routes.first?.action
    else { return nil }
    return response.status
}

@Suite struct ResourceFileTests {
    @Test func filesNameFiles() throws {
        let folder = try Folder()
        let rds = try folder.write("rds.yaml", "resources:\n" + routes("r", status: 201))
        let eds = try folder.write("eds.yaml", "resources:\n" + endpoints("c", port: 81))
        var reader = ResourceFileReader()
        reader.listenersFile = try folder.write("lds.yaml", "resources:\n" + listener("l", routesFile: rds))
        reader.clustersFile = try folder.write("cds.yaml", "resources:\n" + cluster("c", endpointsFile: eds))
        let (result, problems) = reader.resolve(ProxyConfiguration())
        #expect(problems.isEmpty)
        #expect(status(result) == 201)
        #expect(result.listeners.keys.sorted() == ["l"])
        #expect(result.endpoints["c"]?.localities.first?.endpoints.first?.address == .ip("127.0.0.1", port: 81))
        #expect(reader.paths.count == 4)
        #expect(!reader.hasChanged)
        try folder.write("rds.yaml", "resources:\n" + routes("r", status: 202))
        #expect(reader.hasChanged)
        #expect(status(reader.resolve(ProxyConfiguration()).0) == 202)
    }

    /// What cannot be used leaves in force what was there: the whole file, or the one resource.
    @Test func whatIsBadKeepsItsPredecessor() throws {
        let folder = try Folder()
        let rds = try folder.write("rds.yaml", "resources:\n" + routes("r", status: 201) + routes("s", status: 201))
        var reader = ResourceFileReader()
        reader.listenersFile = try folder.write("lds.yaml", "resources:\n" + listener("l", routesFile: rds))
        #expect(reader.resolve(ProxyConfiguration()).1.isEmpty)
        try folder.write("rds.yaml", "resources: [")
        var (result, problems) = reader.resolve(ProxyConfiguration())
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix(rds) == true)
        #expect(status(result) == 201)
        let bad = routes("r", status: 203).replacing("[\"*\"]", with: "[\"a\", \"a\"]")
        try folder.write("rds.yaml", "resources:\n" + bad + routes("t", status: 203))
        (result, problems) = reader.resolve(ProxyConfiguration())
        #expect(problems == ["\(rds): resources[0]: r: domain a is in more than one virtual host"])
        #expect(status(result) == 201)
        // A resource that is not named any more is gone.
        #expect(result.routes.keys.sorted() == ["r", "t"])
        try folder.write("rds.yaml", "resources:\n" + routes("r", status: 204))
        (result, problems) = reader.resolve(ProxyConfiguration())
        #expect(problems.isEmpty)
        #expect(status(result) == 204)
    }

    /// Nobody subscribes to what a resource of a file names by ADS: it would wait for ever.
    @Test func whatAFileNamesByADSIsRefused() throws {
        let folder = try Folder()
        let byFile = listener("l", routesFile: "x")
        let byADS = byFile.replacing("{path_config_source: {path: x}}", with: "{ads: {}}")
        #expect(byADS != byFile)
        var reader = ResourceFileReader()
        reader.listenersFile = try folder.write("lds.yaml", "resources:\n" + byADS)
        let cluster = cluster("c", endpointsFile: "x").replacing("{path_config_source: {path: x}}", with: "{ads: {}}")
        reader.clustersFile = try folder.write("cds.yaml", "resources:\n" + cluster)
        let (result, problems) = reader.resolve(ProxyConfiguration())
        #expect(result.listeners.isEmpty && result.clusters.isEmpty)
        #expect(problems.count == 2)
        #expect(problems.allSatisfy { $0.contains("by ads") && $0.contains("path_config_source") })
    }

    @Test func whatIsMissingIsTold() throws {
        let folder = try Folder()
        let rds = try folder.write("rds.yaml", "resources: []")
        let eds = folder.path("eds.yaml")
        var reader = ResourceFileReader()
        reader.listenersFile = try folder.write("lds.yaml", "resources:\n" + listener("l", routesFile: rds))
        reader.clustersFile = try folder.write("cds.yaml", "resources:\n" + cluster("c", endpointsFile: eds))
        let (_, problems) = reader.resolve(ProxyConfiguration())
        #expect(problems.contains("\(rds): holds no route configuration r"))
        #expect(problems.contains { $0.hasPrefix("\(eds): cannot be read") })
    }

    @Test func staticResourcesWin() throws {
        let folder = try Folder()
        var reader = ResourceFileReader()
        let eds = try folder.write("eds.yaml", "resources:\n" + endpoints("c", port: 81))
        let cds = try folder.write("cds.yaml", "resources:\n" + cluster("c", endpointsFile: eds))
        reader.clustersFile = cds
        var fixed = ProxyConfiguration()
        fixed.clusters["c"] = Cluster(name: "c", discovery: .static)
        let (result, problems) = reader.resolve(fixed)
        #expect(problems == ["\(cds): c: a static resource of the bootstrap has this name"])
        #expect(result.clusters["c"]?.discovery == .static)
    }

    @Test func aResourceOfAnotherTypeIsRefused() throws {
        let folder = try Folder()
        var reader = ResourceFileReader()
        reader.clustersFile = try folder.write("cds.yaml", "resources:\n" + routes("r", status: 200))
        let (result, problems) = reader.resolve(ProxyConfiguration())
        #expect(problems.first?.hasSuffix("r: is a RDS resource, not CDS") == true)
        #expect(result.routes.isEmpty)
    }

    /// A data plane takes up a file that is moved into place.
    @Test(.timeLimit(.minutes(1))) func aMovedFileIsServed() async throws {
        let folder = try Folder()
        let rds = try folder.write("rds.yaml", "resources:\n" + routes("r", status: 201))
        var options = DataPlane.Options()
        options.listenersFile = try folder.write("lds.yaml", "resources:\n" + listener("l", routesFile: rds))
        let plane = DataPlane(options: options)
        #expect(await plane.apply(ProxyConfiguration()).isEmpty)
        #expect(plane.bound["l"]?.count == 1)
        let following = Task { await plane.followFiles { _ in } }
        for wanted in UInt16(202)...205 {
            try folder.write("rds.yaml", "resources:\n" + routes("r", status: Int(wanted)))
            while status(plane.snapshot.configuration) != wanted { try await Task.sleep(for: .milliseconds(5)) }
        }
        following.cancel()
        await plane.shutdown(grace: .zero)
    }
}
