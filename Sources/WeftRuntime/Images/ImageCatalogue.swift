package import WeftConfig

/// Which command an image stands for: the local node has no container images, it has a table.
package struct ImageCatalogue: Sendable {
    /// One row: an image name without tag, and the ENTRYPOINT and CMD that it stands for.
    package struct Entry: Sendable, Hashable, Codable {
        package var image: String
        package var entrypoint: [String]
        package var command: [String]?
    }

    /// Where every container finds Weft's executables, whatever the rights of the folders above ``binaries`` are:
    /// sidecars do not run as root, and a clone may lie in a home that only root can enter, or below /tmp.
    package static let mountPoint = "/opt/weft/bin"

    /// The folder of Weft's executables on this machine.
    package let binaries: String
    private var entries: [String: Entry]
    private let path: String

    /// - Parameter user: the entries of `$WEFT_HOME/catalogue.yaml`; they win over the built-in ones.
    /// - Parameter path: that file's path, for messages.
    package init(binaries: String, user: [Entry], path: String) {
        self.path = path
        self.binaries = binaries
        var entries: [String: Entry] = [:]
        for entry in Self.builtIn(Self.mountPoint) + user { entries[Self.normalise(entry.image)] = entry }
        self.entries = entries
    }

    private static func builtIn(_ binaries: String) -> [Entry] {
        let samples = "\(binaries)/weft-samples"
        func entry(_ image: String, _ entrypoint: [String], _ command: [String]? = nil) -> Entry {
            Entry(image: image, entrypoint: entrypoint, command: command)
        }
        var entries = [
            entry("weft/proxy", ["\(binaries)/weft-proxy"]), entry("weft/weftd", ["\(binaries)/weftd"]),
            entry("weft/samples", [samples]), entry("nginxdemos/hello", [], [samples, "hello"]),
            entry("nginx", [], [samples, "nginx"]), entry("curlimages/curl", ["curl"]),
        ]
        for image in ["kennethreitz/httpbin", "kong/httpbin"] {
            entries.append(entry(image, [], [samples, "httpbin"]))
        }
        for (app, versions) in [
            ("productpage", ["v1"]), ("details", ["v1"]), ("ratings", ["v1"]), ("reviews", ["v1", "v2", "v3"]),
        ] {
            for version in versions {
                entries.append(
                    entry(
                        "istio/examples-bookinfo-\(app)-\(version)", [],
                        [samples, "bookinfo", app, "--version", version, "--port", "9080"]))
            }
        }
        return entries
    }

    /// The name without registry defaults, tag and digest: `docker.io/library/nginx:1.25` is `nginx`.
    package static func normalise(_ image: String) -> String {
        var name = image.split(separator: "@", maxSplits: 1).first.map(String.init) ?? image
        if let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") { name = String(name[..<colon]) }
        for prefix in ["docker.io/", "index.docker.io/"] where name.hasPrefix(prefix) { name.removeFirst(prefix.count) }
        if name.hasPrefix("library/") { name.removeFirst("library/".count) }
        return name
    }

    /// The command line of a container, by Docker's rules.
    package func command(for container: Container) throws -> (arguments: [String], isKnown: Bool) {
        let image = container.image ?? ""
        if let entry = entries[Self.normalise(image)] {
            if let command = container.command, !command.isEmpty { return (command + (container.args ?? []), true) }
            return (entry.entrypoint + (container.args ?? entry.command ?? []), true)
        }
        if let command = container.command, let program = command.first, Self.existsOnHost(program) {
            return (command + (container.args ?? []), false)
        }
        throw RuntimeError(
            "Container image \"\(image)\" is not in Weft's catalogue, and the container has no command that exists on this "
                + "machine; add the image to \(path)", reason: "ErrImageNeverPull")
    }

    private static func existsOnHost(_ program: String) -> Bool {
        if program.contains("/") { return Files.exists(program) }
        return ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .contains { Files.exists("\($0)/\(program)") }
    }
}
