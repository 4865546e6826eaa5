package import WeftCore

/// A pod (`v1.Pod`). A typed view: unknown fields are dropped, so writers change the JSON.
package struct Pod: Sendable, Hashable, Codable {
    package var metadata: ObjectMeta
    package var spec: PodSpec
    package var status: PodStatus?
}

/// What pods of a workload look like (`v1.PodTemplateSpec`).
package struct PodTemplate: Sendable, Hashable, Codable {
    package var metadata: ObjectMeta?
    package var spec: PodSpec
}

/// What runs in a pod.
package struct PodSpec: Sendable, Hashable, Codable {
    package var containers: [Container]
    package var initContainers: [Container]?
    package var volumes: [Volume]?
    package var restartPolicy: String?
    package var terminationGracePeriodSeconds: Int?
    package var activeDeadlineSeconds: Int?
    package var dnsPolicy: String?
    package var dnsConfig: PodDNSConfig?
    package var hostAliases: [HostAlias]?
    package var hostNetwork: Bool?
    package var hostname: String?
    package var subdomain: String?
    package var nodeName: String?
    package var nodeSelector: [String: String]?
    package var serviceAccountName: String?
    package var automountServiceAccountToken: Bool?
    package var enableServiceLinks: Bool?
    package var securityContext: PodSecurityContext?
}

/// Resolver settings of a pod.
package struct PodDNSConfig: Sendable, Hashable, Codable {
    package struct Option: Sendable, Hashable, Codable {
        package var name: String?
        package var value: String?
    }
    package var nameservers: [String]?
    package var searches: [String]?
    package var options: [Option]?
}

/// An extra line of a pod's `/etc/hosts`.
package struct HostAlias: Sendable, Hashable, Codable {
    package var ip: String
    package var hostnames: [String]?
}

/// Identity defaults of all containers of a pod.
package struct PodSecurityContext: Sendable, Hashable, Codable {
    package var runAsUser: Int?
    package var runAsGroup: Int?
    package var runAsNonRoot: Bool?
    package var fsGroup: Int?
    package var supplementalGroups: [Int]?
    package var sysctls: [Sysctl]?
}

/// One kernel parameter of a pod's namespaces.
package struct Sysctl: Sendable, Hashable, Codable {
    package var name: String
    package var value: String
}

/// Identity and rights of one container.
package struct SecurityContext: Sendable, Hashable, Codable {
    package struct Capabilities: Sendable, Hashable, Codable {
        package var add: [String]?
        package var drop: [String]?
    }
    package var runAsUser: Int?
    package var runAsGroup: Int?
    package var runAsNonRoot: Bool?
    package var privileged: Bool?
    package var allowPrivilegeEscalation: Bool?
    package var readOnlyRootFilesystem: Bool?
    package var capabilities: Capabilities?
}

/// One process of a pod.
package struct Container: Sendable, Hashable, Codable {
    package var name: String
    package var image: String?
    package var imagePullPolicy: String?
    package var command: [String]?
    package var args: [String]?
    package var workingDir: String?
    package var ports: [ContainerPort]?
    package var env: [EnvironmentVariable]?
    package var envFrom: [EnvironmentSource]?
    package var resources: ResourceRequirements?
    package var volumeMounts: [VolumeMount]?
    package var livenessProbe: Probe?
    package var readinessProbe: Probe?
    package var startupProbe: Probe?
    package var lifecycle: Lifecycle?
    package var securityContext: SecurityContext?
    /// `Always` on an init container makes it a native sidecar.
    package var restartPolicy: String?
    package var terminationMessagePath: String?
    package var stdin: Bool?
    package var tty: Bool?
}

/// A port that a container listens on.
package struct ContainerPort: Sendable, Hashable, Codable {
    package var name: String?
    package var containerPort: Int
    package var hostPort: Int?
    package var `protocol`: String?
}

/// Requests and limits by resource name; quantities as written.
package struct ResourceRequirements: Sendable, Hashable, Codable {
    package var requests: [String: JSONValue]?
    package var limits: [String: JSONValue]?
}

/// One variable of a container's environment.
package struct EnvironmentVariable: Sendable, Hashable, Codable {
    package struct Source: Sendable, Hashable, Codable {
        package var fieldRef: FieldReference?
        package var resourceFieldRef: ResourceFieldReference?
        package var configMapKeyRef: KeyReference?
        package var secretKeyRef: KeyReference?
    }
    package var name: String
    package var value: String?
    package var valueFrom: Source?
}

/// A field of the pod itself.
package struct FieldReference: Sendable, Hashable, Codable {
    package var apiVersion: String?
    package var fieldPath: String
}

/// A resource figure of a container.
package struct ResourceFieldReference: Sendable, Hashable, Codable {
    package var containerName: String?
    package var resource: String
    package var divisor: JSONValue?
}

/// One key of a ConfigMap or Secret.
package struct KeyReference: Sendable, Hashable, Codable {
    package var name: String?
    package var key: String
    package var optional: Bool?
}

/// All keys of a ConfigMap or Secret as variables.
package struct EnvironmentSource: Sendable, Hashable, Codable {
    package struct Reference: Sendable, Hashable, Codable {
        package var name: String?
        package var optional: Bool?
    }
    package var prefix: String?
    package var configMapRef: Reference?
    package var secretRef: Reference?
}

/// Commands at the borders of a container's life.
package struct Lifecycle: Sendable, Hashable, Codable {
    package struct Handler: Sendable, Hashable, Codable {
        package struct Sleep: Sendable, Hashable, Codable { package var seconds: Int }
        package var exec: ExecAction?
        package var httpGet: HTTPGetAction?
        package var tcpSocket: TCPSocketAction?
        package var sleep: Sleep?
    }
    package var postStart: Handler?
    package var preStop: Handler?
}

/// A command run inside a container.
package struct ExecAction: Sendable, Hashable, Codable { package var command: [String]? }

/// An HTTP request whose status 200–399 is success.
package struct HTTPGetAction: Sendable, Hashable, Codable {
    package struct Header: Sendable, Hashable, Codable {
        package var name: String
        package var value: String?
    }
    package var path: String?
    package var port: IntOrString
    package var host: String?
    package var scheme: String?
    package var httpHeaders: [Header]?
}

/// A connection that must be accepted.
package struct TCPSocketAction: Sendable, Hashable, Codable {
    package var port: IntOrString
    package var host: String?
}

/// A health check (`grpc.health.v1`).
package struct GRPCAction: Sendable, Hashable, Codable {
    package var port: Int
    package var service: String?
}

/// A repeated check of a container.
package struct Probe: Sendable, Hashable, Codable {
    package var exec: ExecAction?
    package var httpGet: HTTPGetAction?
    package var tcpSocket: TCPSocketAction?
    package var grpc: GRPCAction?
    package var initialDelaySeconds: Int?
    package var timeoutSeconds: Int?
    package var periodSeconds: Int?
    package var successThreshold: Int?
    package var failureThreshold: Int?
    package var terminationGracePeriodSeconds: Int?
}
