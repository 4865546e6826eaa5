import FoundationEssentials
import WeftConfig
import WeftCore

/// The volumes of one pod as folders of the host. Files of ConfigMaps, Secrets, tokens and the downward API are replaced
/// all at once (a link is swapped), so that a reader never sees half of a change.
struct PodVolumes {
    let folder: String
    let pod: KubernetesObject
    let spec: PodSpec
    let environment: PodEnvironment
    let api: any NodeAPI

    static let accountVolume = "weft-api-access"
    static let accountPath = "/var/run/secrets/kubernetes.io/serviceaccount"

    func path(_ name: String) -> String { "\(folder)/volumes/\(name)" }

    /// The folder or file of the host behind a mount.
    func source(_ mount: VolumeMount) throws -> String {
        guard let volume = spec.volumes?.first(where: { $0.name == mount.name }) else {
            throw RuntimeError("volume \"\(mount.name)\" not found", reason: "CreateContainerConfigError")
        }
        let base = volume.hostPath?.path ?? path(volume.name)
        guard let sub = mount.subPath, !sub.isEmpty else { return base }
        guard !sub.split(separator: "/").contains("..") else { throw RuntimeError("subPath must not contain '..'") }
        let full = "\(base)/\(sub)"
        if volume.emptyDir != nil, !Files.exists(full) { try Files.makeDirectory(full, mode: 0o777) }
        return full
    }

    var mountsAccount: Bool { spec.automountServiceAccountToken != false }

    /// Writes everything; called again whenever a source may have changed.
    func write() async throws {
        for volume in spec.volumes ?? [] {
            let path = path(volume.name)
            if let host = volume.hostPath {
                if host.type == "DirectoryOrCreate" { try Files.makeDirectory(host.path) }
                continue
            }
            let existed = Files.exists(path)
            if !existed { try Files.makeDirectory(path, mode: volume.emptyDir == nil ? 0o755 : 0o777) }
            if volume.emptyDir != nil { continue }
            try publish(try await files(of: volume), to: path, mode: mode(volume))
        }
        guard mountsAccount else { return }
        try Files.makeDirectory(path(Self.accountVolume))
        let standard: JSONValue = [
            ["serviceAccountToken": ["expirationSeconds": 3607, "path": "token"]],
            [
                "configMap": [
                    "name": "kube-root-ca.crt", "items": [["key": "ca.crt", "path": "ca.crt"]], "optional": true,
                ]
            ],
            ["downwardAPI": ["items": [["path": "namespace", "fieldRef": ["fieldPath": "metadata.namespace"]]]]],
        ]
        let projections = try standard.decode([Projection].self)
        try publish(try await files(projections, in: Self.accountVolume), to: path(Self.accountVolume), mode: 0o644)
    }

    private func mode(_ volume: Volume) -> UInt32 {
        let mode = volume.configMap?.defaultMode ?? volume.secret?.defaultMode ?? volume.projected?.defaultMode
        return UInt32(mode ?? volume.downwardAPI?.defaultMode ?? 0o644) | 0o444
    }

    private func files(of volume: Volume) async throws -> [String: [UInt8]] {
        if let source = volume.configMap {
            return try await keys("ConfigMap", source.name, source.items, source.optional)
        }
        if let source = volume.secret {
            return try await keys("Secret", source.secretName, source.items, source.optional)
        }
        if let source = volume.downwardAPI { return downward(source.items ?? []) }
        return try await files(volume.projected?.sources ?? [], in: volume.name)
    }

    private func files(_ projections: [Projection], in volume: String) async throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for projection in projections {
            if let source = projection.configMap {
                files.merge(try await keys("ConfigMap", source.name, source.items, source.optional)) { $1 }
            }
            if let source = projection.secret {
                files.merge(try await keys("Secret", source.name, source.items, source.optional)) { $1 }
            }
            if let source = projection.downwardAPI { files.merge(downward(source.items ?? [])) { $1 } }
            if let source = projection.serviceAccountToken {
                files[source.path] = try await token(source, in: volume)
            }
        }
        return files
    }

    /// A token is kept until a fifth of its life is left.
    private func token(_ source: Projection.Token, in volume: String) async throws -> [UInt8] {
        let life = max(600, source.expirationSeconds ?? 3600)
        let stamp = "\(folder)/token-\(volume)-\(source.path.replacing("/", with: "_"))"
        if let written = Files.read(stamp).flatMap({ Int(String(decoding: $0, as: UTF8.self)) }),
            Timestamps.seconds() < written + life * 4 / 5, let current = Files.read("\(path(volume))/\(source.path)")
        {
            return current
        }
        let token = try await api.token(pod, audience: source.audience, expirationSeconds: life)
        try Files.write(Array(String(Timestamps.seconds()).utf8), to: stamp, mode: 0o600)
        return Array(token.utf8)
    }

    private func downward(_ items: [DownwardFile]) -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for item in items {
            if let field = item.fieldRef { files[item.path] = Array((environment.field(field.fieldPath) ?? "").utf8) }
            if let resource = item.resourceFieldRef, let container = spec.containers.first {
                files[item.path] = Array(environment.resource(resource, container).utf8)
            }
        }
        return files
    }

    private func keys(_ kind: String, _ name: String?, _ items: [KeyToPath]?, _ optional: Bool?) async throws
        -> [String: [UInt8]]
    {
        guard let name, let object = await api.object(kind: kind, namespace: pod.namespace, name: name) else {
            if optional == true { return [:] }
            throw RuntimeError("\(kind.lowercased()) \"\(name ?? "")\" not found", reason: "FailedMount")
        }
        let data = Self.bytes(object)
        guard let items else { return data }
        var files: [String: [UInt8]] = [:]
        for item in items {
            if let bytes = data[item.key] {
                files[item.path] = bytes
            } else if optional != true {
                throw RuntimeError("references non-existent config key: \(item.key)", reason: "FailedMount")
            }
        }
        return files
    }

    /// The values of a ConfigMap or Secret.
    static func bytes(_ object: KubernetesObject) -> [String: [UInt8]] {
        var result: [String: [UInt8]] = [:]
        let plain = object.json["data"]?.objectValue ?? [:]
        for (key, value) in plain {
            let text = value.stringValue ?? ""
            result[key] = object.kind == "Secret" ? Data(base64Encoded: text).map { Array($0) } : Array(text.utf8)
        }
        for (key, value) in object.json["binaryData"]?.objectValue ?? [:] {
            result[key] = Data(base64Encoded: value.stringValue ?? "").map { Array($0) }
        }
        return result
    }

    private func publish(_ files: [String: [UInt8]], to folder: String, mode: UInt32) throws {
        let current = "\(folder)/..data"
        let old = Files.names(in: "\(folder)/")
        let same = Files.exists(current) && files.allSatisfy { Files.read("\(current)/\($0.key)") == $0.value }
        let tops = Set(files.keys.compactMap { $0.split(separator: "/").first.map(String.init) })
        if same, Set(old.filter { !$0.hasPrefix("..") }) == tops { return }
        let version = "..\(Timestamps.now(nanoseconds: true).filter { $0.isNumber })"
        try Files.makeDirectory("\(folder)/\(version)")
        for (name, bytes) in files {
            guard !name.split(separator: "/").contains("..") else { continue }
            if let slash = name.lastIndex(of: "/") { try Files.makeDirectory("\(folder)/\(version)/\(name[..<slash])") }
            try Files.write(bytes, to: "\(folder)/\(version)/\(name)", mode: mode)
        }
        try Files.replaceLink(current, target: version)
        for top in tops where !old.contains(top) { try Files.replaceLink("\(folder)/\(top)", target: "..data/\(top)") }
        for name in old where !tops.contains(name) && name != "..data" { Files.remove("\(folder)/\(name)") }
    }
}
