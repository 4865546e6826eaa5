package import WeftCore

/// The metadata every Kubernetes object carries (`meta.v1.ObjectMeta`).
package struct ObjectMeta: Sendable, Hashable, Codable {
    package var name: String?
    package var generateName: String?
    package var namespace: String?
    package var uid: String?
    package var resourceVersion: String?
    package var generation: Int?
    package var creationTimestamp: String?
    package var deletionTimestamp: String?
    package var deletionGracePeriodSeconds: Int?
    package var labels: [String: String]?
    package var annotations: [String: String]?
    package var ownerReferences: [OwnerReference]?
    package var finalizers: [String]?

    package init(name: String? = nil, namespace: String? = nil, labels: [String: String]? = nil) {
        self.name = name
        self.namespace = namespace
        self.labels = labels
    }

    /// The owner that manages this object, if there is one.
    package var controller: OwnerReference? { ownerReferences?.first { $0.controller == true } }
}

/// A number or a name, as ports and percentages are written.
package enum IntOrString: Sendable, Hashable, Codable {
    case int(Int)
    case string(String)

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) {
            self = .int(number)
        } else {
            self = .string(try container.decode(String.self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .int(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        }
    }

    /// A count out of `total`: the number itself, or a percentage of it rounded up or down.
    package func scaled(of total: Int, roundUp: Bool) -> Int {
        switch self {
        case .int(let value): return value
        case .string(let text):
            guard text.hasSuffix("%"), let percent = Int(text.dropLast()) else { return 0 }
            return (total * percent + (roundUp ? 99 : 0)) / 100
        }
    }
}

/// A condition in a status: what, whether, since when, why.
package struct ObjectCondition: Sendable, Hashable, Codable {
    package var type: String
    package var status: String
    package var reason: String?
    package var message: String?
    package var lastTransitionTime: String?
    package var lastUpdateTime: String?

    package init(type: String, status: String, reason: String? = nil, message: String? = nil) {
        self.type = type
        self.status = status
        self.reason = reason
        self.message = message
    }
}

/// A namespace (`v1.Namespace`).
package struct Namespace: Sendable, Hashable, Codable {
    package struct Status: Sendable, Hashable, Codable { package var phase: String? }
    package var metadata: ObjectMeta
    package var status: Status?
}

/// A set of strings and bytes (`v1.ConfigMap`); ``binaryData`` is base64.
package struct ConfigMap: Sendable, Hashable, Codable {
    package var metadata: ObjectMeta
    package var data: [String: String]?
    package var binaryData: [String: String]?
    package var immutable: Bool?
}

/// A `v1.Secret`; ``data`` is base64. Named apart from the IR's secret, which lives in the same sources.
package struct CoreSecret: Sendable, Hashable, Codable {
    package var metadata: ObjectMeta
    package var type: String?
    package var data: [String: String]?
}

/// A `v1.ServiceAccount`.
package struct ServiceAccount: Sendable, Hashable, Codable {
    package var metadata: ObjectMeta
    package var automountServiceAccountToken: Bool?
}

/// A machine that runs pods (`v1.Node`).
package struct ClusterNode: Sendable, Hashable, Codable {
    package struct Address: Sendable, Hashable, Codable {
        package var type: String
        package var address: String
    }
    package struct Status: Sendable, Hashable, Codable {
        package var addresses: [Address]?
        package var conditions: [ObjectCondition]?
        package var capacity: [String: JSONValue]?
    }
    package var metadata: ObjectMeta
    package var status: Status?
}

/// Something that happened to an object (`v1.Event`).
package struct CoreEvent: Sendable, Hashable, Codable {
    package struct Target: Sendable, Hashable, Codable {
        package var kind: String?
        package var namespace: String?
        package var name: String?
        package var uid: String?
        package var fieldPath: String?
    }
    package var metadata: ObjectMeta
    package var involvedObject: Target
    package var reason: String?
    package var message: String?
    package var type: String?
    package var count: Int?
    package var firstTimestamp: String?
    package var lastTimestamp: String?
}
