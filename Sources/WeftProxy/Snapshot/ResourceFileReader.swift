import CWeftLinux
import FoundationEssentials
import WeftIR
import WeftXDS
import WeftYAML

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reads listeners, clusters, routes and endpoints from the files that a bootstrap or other resources name
/// (`path_config_source`).
///
/// Owned by the configuration side. A file that cannot be used leaves in force what it said before; a resource that
/// cannot be used leaves in force its own predecessor, as on a stream. A file that did not change is not read again.
struct ResourceFileReader {
    /// `dynamic_resources.lds_config` and `cds_config`.
    var listenersFile: String?
    var clustersFile: String?
    /// What `runtime_key`s in files stand for.
    var runtime = RuntimeValues()
    private var files: [String: File] = [:]

    private struct File {
        var state: FileState?
        /// What it says, by name.
        var resources: [String: DecodedResource] = [:]
        var problems: [String] = []
        var ignoredFields: [String] = []
    }

    /// True if a file that the last ``resolve(_:)`` read is not what it was.
    var hasChanged: Bool { files.contains { FileState($0.key) != $0.value.state } }

    /// What is to be watched.
    var paths: Set<String> { Set(files.keys) }

    /// Full names of the fields that files set and that have no effect.
    var ignoredFields: [String] { files.values.flatMap(\.ignoredFields) }

    /// - Returns: The configuration with what the files say, and what could not be used.
    mutating func resolve(_ configuration: ProxyConfiguration) -> (ProxyConfiguration, [String]) {
        var result = configuration
        var used: [String: ResourceType] = [:]
        var problems: [String] = []
        if let listenersFile { add(listenersFile, .listener, over: configuration, &result, &used, &problems) }
        if let clustersFile { add(clustersFile, .cluster, over: configuration, &result, &used, &problems) }
        for (path, type) in Self.named(by: result) { add(path, type, over: configuration, &result, &used, &problems) }
        files = files.filter { used[$0.key] != nil }
        problems += Self.missing(result)
        return (result, problems)
    }

    private mutating func add(
        _ path: String, _ type: ResourceType, over fixed: ProxyConfiguration, _ result: inout ProxyConfiguration,
        _ used: inout [String: ResourceType], _ problems: inout [String]
    ) {
        guard used[path] == nil else {
            if used[path] != type { problems.append("\(path): is used for two kinds of resource") }
            return
        }
        used[path] = type
        let file = read(path, type)
        problems += file.problems.map { "\(path): \($0)" }
        for (name, resource) in file.resources {
            if fixed.hasStatic(resource) {
                problems.append("\(path): \(name): a static resource of the bootstrap has this name")
            } else if let (type, wanted) = Self.unanswered(resource, in: fixed) {
                problems.append(
                    "\(path): \(name): \(type.shortName) of \(wanted) is to come by ads, which resources of files "
                        + "cannot ask for; name a file by path_config_source")
            } else {
                result.set(resource)
            }
        }
    }

    /// What a resource names that would have to come over a stream on which nobody asks for it.
    private static func unanswered(
        _ resource: DecodedResource, in fixed: ProxyConfiguration
    ) -> (ResourceType, String)? {
        var alone = ProxyConfiguration()
        alone.set(resource)
        let known = fixed.references
        for (type, names) in alone.references.sorted(by: { $0.key < $1.key }) {
            if let name = names.subtracting(known[type] ?? []).min() { return (type, name) }
        }
        return nil
    }

    /// Files that listeners and clusters name.
    private static func named(by configuration: ProxyConfiguration) -> [(String, ResourceType)] {
        let routes = configuration.managers.compactMap(\.routesFile)
        let endpoints = configuration.clusters.values.compactMap(\.endpointsFile)
        return Set(routes).sorted().map { ($0, .route) } + Set(endpoints).sorted().map { ($0, .endpoint) }
    }

    /// Routes and endpoints that are not in the file that should hold them.
    private static func missing(_ configuration: ProxyConfiguration) -> [String] {
        var problems: Set<String> = []
        for manager in configuration.managers {
            guard let file = manager.routesFile else { continue }
            for name in manager.namedRoutes where configuration.routes[name] == nil {
                problems.insert("\(file): holds no route configuration \(name)")
            }
        }
        for cluster in configuration.clusters.values {
            guard let file = cluster.endpointsFile, let name = cluster.assignmentName,
                configuration.endpoints[name] == nil
            else { continue }
            problems.insert("\(file): holds no endpoints of \(name)")
        }
        return problems.sorted()
    }

    private mutating func read(_ path: String, _ type: ResourceType) -> File {
        let state = FileState(path)
        if let known = files[path], known.state == state { return known }
        var file = files[path] ?? File()
        file.state = state
        file.problems = []
        do {
            let content = try Self.content(path, runtime)
            take(content, type, into: &file)
        } catch let failure as BootstrapDecoder.Failure {
            file.problems = failure.problems.map(\.description)
        } catch {
            file.problems = ["\(error)"]
        }
        files[path] = file
        return file
    }

    private func take(_ content: ResourceFile.Content, _ type: ResourceType, into file: inout File) {
        file.problems = content.problems
        file.ignoredFields = content.results.flatMap(\.ignoredFields)
        // What is named and cannot be used keeps its predecessor.
        file.resources = file.resources.filter { content.names.contains($0.key) }
        for result in content.results {
            let name = result.value.name
            guard result.value.type == type else {
                file.problems.append("\(name): is a \(result.value.type.shortName) resource, not \(type.shortName)")
                continue
            }
            if let reason = ResourceCheck.problem(result.value) {
                file.problems.append("\(name): \(reason)")
            } else {
                file.resources[name] = result.value
            }
        }
    }

    private static func content(_ path: String, _ runtime: RuntimeValues) throws -> ResourceFile.Content {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else {
            throw Unreadable(description: "cannot be read: \(unsafe String(cString: strerror(errno)))")
        }
        if path.hasSuffix(".pb") { return try ResourceFile.content(binary: [UInt8](data), runtime: runtime) }
        return try ResourceFile.content(
            try YAMLReader.value(in: String(decoding: data, as: UTF8.self), file: path), runtime: runtime)
    }

    private struct Unreadable: Error, CustomStringConvertible { var description: String }
}

/// What tells one state of a file from another without reading it.
struct FileState: Equatable {
    private var values = [Int64](repeating: 0, count: 5)

    /// - Returns: `nil` for a file that is not there.
    init?(_ path: String) {
        guard unsafe weft_file_state(path, &values) == 0 else { return nil }
    }
}

extension ProxyConfiguration {
    fileprivate func hasStatic(_ resource: DecodedResource) -> Bool {
        switch resource {
        case .listener(let value): listeners[value.name] != nil
        case .cluster(let value): clusters[value.name] != nil
        case .route, .scope, .endpoints, .secret, .names: false
        }
    }
}
