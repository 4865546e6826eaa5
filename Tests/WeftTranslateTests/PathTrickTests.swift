import Testing
import WeftConfig
import WeftCore
import WeftTranslate

private typealias Mesh = SecurityMesh

/// Ways to write a path or a host that a DENY names, each with the levels of path normalisation at which the refusal holds.
@Suite struct PathTrickTests {
    private static let levels: [MeshConfig.PathNormalization.Mode] = [
        .none, .base, .mergeSlashes, .decodeAndMergeSlashes,
    ]

    /// A path, and the first level that stops it.
    static let tricks: [(String, MeshConfig.PathNormalization.Mode)] = [
        ("/admin", .none), ("/admin?x=/ok", .none), ("/admin#x", .none), ("/ADMIN", .none), ("/Admin", .none),
        ("/./admin", .base), ("/x/../admin", .base), ("/x/%2e%2e/admin", .base), ("/x/%2E./admin", .base),
        ("/%61dmin", .base), ("/\\admin", .mergeSlashes), ("/x\\..\\admin", .base), ("/admin/..;/admin", .base),
        ("/x/..;/admin", .base), ("/x/..;a=b/admin", .base), ("/.;/admin", .base), ("/x/%2e%2e;/admin", .base),
        ("//admin", .mergeSlashes), ("/.//admin", .mergeSlashes), ("///admin", .mergeSlashes),
        ("/x/..//admin", .mergeSlashes),
        ("/%2Fadmin", .decodeAndMergeSlashes), ("/%2fadmin", .decodeAndMergeSlashes),
        ("/%5Cadmin", .decodeAndMergeSlashes), ("/x/..%2fadmin", .decodeAndMergeSlashes),
        ("/x%2f..%2Fadmin", .decodeAndMergeSlashes), ("/%5c%2Fadmin", .decodeAndMergeSlashes),
    ]

    @Test(arguments: tricks.indices) func noWayAroundADeny(_ index: Int) throws {
        let (path, first) = Self.tricks[index]
        let from = try #require(Self.levels.firstIndex(of: first))
        for level in Self.levels[from...] {
            let config: MeshConfig = try YAMLReader.value(
                in: "{pathNormalization: {normalization: \(level.rawValue)}}"
            ).decode()
            for paths in ["paths: [/admin]", "paths: ['/admin*']", "paths: ['/{*}'], notPaths: [/open]"] {
                let mesh = try Mesh(
                    Mesh.authorization("{action: DENY, rules: [{to: [{operation: {\(paths)}}]}]}"), mesh: config)
                #expect(mesh.ask(Call(path: path)).status == 403, "\(path) at \(level) with \(paths)")
                #expect(mesh.ask(Call(path: "/open")).status == 200)
            }
        }
    }

    @Test func baseIsTheDefault() throws {
        let mesh = try Mesh(Mesh.authorization("{action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]}"))
        #expect(mesh.ask(Call(path: "/x/../admin")).status == 403)
        #expect(mesh.ask(Call(path: "//admin")).status == 200)
    }

    @Test(arguments: ["web.dev", "WEB.dev", "web.dev:8080", "web.dev.", "Web.Dev.:8080", "web.dev:"])
    func noWayAroundADenyByHost(_ host: String) throws {
        for hosts in ["web.dev", "'*.dev'"] {
            let mesh = try Mesh(
                Mesh.authorization("{action: DENY, rules: [{to: [{operation: {hosts: [\(hosts)]}}]}]}"))
            #expect(mesh.ask(Call(host: host)).status == 403)
            #expect(mesh.ask(Call(host: "web.dev.evil")).status == 200)
            #expect(mesh.ask(Call(host: "web.devil")).status == 200)
        }
    }

    /// What an exception of a DENY lets through stays as narrow as it is written.
    @Test func exceptionsAreStrict() throws {
        let mesh = try Mesh(Mesh.authorization("{action: DENY, rules: [{to: [{operation: {notPaths: ['/open/*']}}]}]}"))
        #expect(mesh.ask(Call(path: "/open/a")).status == 200)
        for path in ["/OPEN/a", "/open/../admin", "/open/..;/admin", "/open/%2e%2e/admin"] {
            #expect(mesh.ask(Call(path: path)).status == 403, "\(path)")
        }
    }
}
