package import WeftCore

/// A volume of a pod.
package struct Volume: Sendable, Hashable, Codable {
    package struct EmptyDirectory: Sendable, Hashable, Codable {
        package var medium: String?
        package var sizeLimit: JSONValue?
    }
    package struct HostPath: Sendable, Hashable, Codable {
        package var path: String
        package var type: String?
    }
    package struct ConfigMapSource: Sendable, Hashable, Codable {
        package var name: String?
        package var items: [KeyToPath]?
        package var defaultMode: Int?
        package var optional: Bool?
    }
    package struct SecretSource: Sendable, Hashable, Codable {
        package var secretName: String?
        package var items: [KeyToPath]?
        package var defaultMode: Int?
        package var optional: Bool?
    }
    package struct DownwardAPISource: Sendable, Hashable, Codable {
        package var items: [DownwardFile]?
        package var defaultMode: Int?
    }
    package struct ProjectedSource: Sendable, Hashable, Codable {
        package var sources: [Projection]?
        package var defaultMode: Int?
    }
    package var name: String
    package var emptyDir: EmptyDirectory?
    package var hostPath: HostPath?
    package var configMap: ConfigMapSource?
    package var secret: SecretSource?
    package var downwardAPI: DownwardAPISource?
    package var projected: ProjectedSource?
}

/// Which key goes to which file.
package struct KeyToPath: Sendable, Hashable, Codable {
    package var key: String
    package var path: String
    package var mode: Int?
}

/// A file with a field of the pod.
package struct DownwardFile: Sendable, Hashable, Codable {
    package var path: String
    package var fieldRef: FieldReference?
    package var resourceFieldRef: ResourceFieldReference?
    package var mode: Int?
}

/// One part of a projected volume.
package struct Projection: Sendable, Hashable, Codable {
    package struct Named: Sendable, Hashable, Codable {
        package var name: String?
        package var items: [KeyToPath]?
        package var optional: Bool?
    }
    package struct Token: Sendable, Hashable, Codable {
        package var audience: String?
        package var expirationSeconds: Int?
        package var path: String
    }
    package struct Downward: Sendable, Hashable, Codable { package var items: [DownwardFile]? }
    package var configMap: Named?
    package var secret: Named?
    package var downwardAPI: Downward?
    package var serviceAccountToken: Token?
}

/// Where a container sees a volume.
package struct VolumeMount: Sendable, Hashable, Codable {
    package var name: String
    package var mountPath: String
    package var subPath: String?
    package var readOnly: Bool?
}
