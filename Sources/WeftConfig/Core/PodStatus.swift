/// What the node says about a pod.
package struct PodStatus: Sendable, Hashable, Codable {
    package struct Address: Sendable, Hashable, Codable { package var ip: String? }
    package var phase: String?
    package var conditions: [ObjectCondition]?
    package var containerStatuses: [ContainerStatus]?
    package var initContainerStatuses: [ContainerStatus]?
    package var podIP: String?
    package var podIPs: [Address]?
    package var hostIP: String?
    package var startTime: String?
    package var qosClass: String?
    package var reason: String?
    package var message: String?

    package func condition(_ type: String) -> ObjectCondition? { conditions?.first { $0.type == type } }
}

/// The state of one container.
package struct ContainerStatus: Sendable, Hashable, Codable {
    package struct Waiting: Sendable, Hashable, Codable {
        package var reason: String?
        package var message: String?
    }
    package struct Running: Sendable, Hashable, Codable { package var startedAt: String? }
    package struct Terminated: Sendable, Hashable, Codable {
        package var exitCode: Int
        package var signal: Int?
        package var reason: String?
        package var message: String?
        package var startedAt: String?
        package var finishedAt: String?
        package var containerID: String?
    }
    package struct State: Sendable, Hashable, Codable {
        package var waiting: Waiting?
        package var running: Running?
        package var terminated: Terminated?
    }
    package var name: String
    package var state: State?
    package var lastState: State?
    package var ready: Bool?
    package var started: Bool?
    package var restartCount: Int?
    package var image: String?
    package var imageID: String?
    package var containerID: String?
}

extension Pod {
    package var isReady: Bool { status?.condition("Ready")?.status == "True" }
    package var isTerminating: Bool { metadata.deletionTimestamp != nil }
    package var isFinished: Bool { status?.phase == "Succeeded" || status?.phase == "Failed" }
    package var isActive: Bool { !isTerminating && !isFinished }
}
