/// A deployment (`apps/v1`).
package struct Deployment: Sendable, Hashable, Codable {
    package struct RollingUpdate: Sendable, Hashable, Codable {
        package var maxSurge: IntOrString?
        package var maxUnavailable: IntOrString?
    }
    package struct Strategy: Sendable, Hashable, Codable {
        package var type: String?
        package var rollingUpdate: RollingUpdate?
    }
    package struct Spec: Sendable, Hashable, Codable {
        package var replicas: Int?
        package var selector: LabelSelector
        package var template: PodTemplate
        package var strategy: Strategy?
        package var minReadySeconds: Int?
        package var revisionHistoryLimit: Int?
        package var paused: Bool?
        package var progressDeadlineSeconds: Int?
    }
    package struct Status: Sendable, Hashable, Codable {
        package var observedGeneration: Int?
        package var replicas: Int?
        package var updatedReplicas: Int?
        package var readyReplicas: Int?
        package var availableReplicas: Int?
        package var unavailableReplicas: Int?
        package var conditions: [ObjectCondition]?
    }
    package var metadata: ObjectMeta
    package var spec: Spec
    package var status: Status?
}

/// A replica set (`apps/v1`).
package struct ReplicaSet: Sendable, Hashable, Codable {
    package struct Spec: Sendable, Hashable, Codable {
        package var replicas: Int?
        package var selector: LabelSelector
        package var template: PodTemplate?
        package var minReadySeconds: Int?
    }
    package struct Status: Sendable, Hashable, Codable {
        package var replicas: Int?
        package var fullyLabeledReplicas: Int?
        package var readyReplicas: Int?
        package var availableReplicas: Int?
        package var observedGeneration: Int?
    }
    package var metadata: ObjectMeta
    package var spec: Spec
    package var status: Status?
}

/// A stateful set (`apps/v1`).
package struct StatefulSet: Sendable, Hashable, Codable {
    package struct Spec: Sendable, Hashable, Codable {
        package var replicas: Int?
        package var serviceName: String?
        package var podManagementPolicy: String?
        package var selector: LabelSelector
        package var template: PodTemplate
    }
    package var metadata: ObjectMeta
    package var spec: Spec
}

/// A daemon set (`apps/v1`).
package struct DaemonSet: Sendable, Hashable, Codable {
    package struct Spec: Sendable, Hashable, Codable {
        package var selector: LabelSelector
        package var template: PodTemplate
    }
    package var metadata: ObjectMeta
    package var spec: Spec
}

/// A job (`batch/v1`).
package struct Job: Sendable, Hashable, Codable {
    package struct Spec: Sendable, Hashable, Codable {
        package var completions: Int?
        package var parallelism: Int?
        package var backoffLimit: Int?
        package var suspend: Bool?
        package var selector: LabelSelector?
        package var template: PodTemplate
    }
    package struct Status: Sendable, Hashable, Codable {
        package var conditions: [ObjectCondition]?
        package var startTime: String?
    }
    package var metadata: ObjectMeta
    package var spec: Spec
    package var status: Status?
}
