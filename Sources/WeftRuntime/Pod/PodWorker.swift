import NIOCore
import WeftConfig
import WeftCore

/// What all pod workers share.
struct WorkerContext: Sendable {
    let api: any NodeAPI
    let network: NodeNetwork
    let catalogue: ImageCatalogue
    let home: String
}

/// Runs one pod from its sandbox to its end, and says so in its status and events.
actor PodWorker {
    let context: WorkerContext
    let uid: String
    private(set) var pod: KubernetesObject
    let spec: PodSpec
    var states: [String: ContainerState] = [:]
    let order: [String]
    var sandbox: Sandbox?
    var processes: [String: RunningContainer] = [:]
    var logs: [String: [ContainerLog]] = [:]
    private var startTime = Timestamps.now()
    private var lastStatus: JSONValue?
    var stopping = false
    var main: Task<Void, Never>?
    var ending: Task<Void, Never>?

    /// A container's process and what `exec` needs to join it.
    struct RunningContainer {
        var process: ChildProcess
        var initPID: Int
        var launch: ContainerLaunch
    }

    init(_ pod: KubernetesObject, _ context: WorkerContext) throws {
        self.pod = pod
        self.context = context
        uid = pod.uid
        spec = try pod.decode(Pod.self).spec
        let inits = spec.initContainers ?? []
        order = (inits + spec.containers).map(\.name)
        for container in inits { states[container.name] = ContainerState(container: container, isInit: true) }
        for container in spec.containers {
            var state = ContainerState(container: container, isInit: false)
            if inits.isEmpty { state.phase = .waiting(reason: "ContainerCreating", message: nil) }
            states[container.name] = state
        }
    }

    var folder: String { "\(context.home)/pods/\(uid)" }
    var logFolder: String { "\(context.home)/logs/\(pod.namespace)_\(pod.name)_\(uid)" }
    var volumes: PodVolumes {
        let environment = PodEnvironment(pod: pod, spec: spec, address: sandbox?.address ?? "")
        return PodVolumes(folder: folder, pod: pod, spec: spec, environment: environment, api: context.api)
    }

    func start() { main = Task { await run() } }

    /// A newer version of the pod's object: labels and annotations reach the downward API.
    func update(_ new: KubernetesObject) async {
        let changed = new.labels != pod.labels || new.annotations != pod.annotations
        pod = new
        if changed { await refreshVolumes() }
    }

    func refreshVolumes() async {
        guard sandbox != nil, !stopping else { return }
        try? await volumes.write()
    }

    // MARK: - Life

    func run() async {
        await publish()
        if spec.hostNetwork == true {
            await event(
                nil, warning: true, "HostNetworkNotSupported",
                "hostNetwork is not supported by the local node: the pod gets a network namespace and an address of its own; remove hostNetwork, and use a Service or 'kubectl port-forward' to reach it"
            )
        }
        guard await prepare() else { return }
        for container in spec.initContainers ?? [] {
            guard !stopping, await runInit(container) else { return await publish() }
        }
        await withTaskGroup(of: Void.self) { group in
            for container in spec.containers { group.addTask { await self.keepRunning(container, sidecar: false) } }
        }
        if !stopping { await stopSidecars() }
        await publish()
    }

    /// Sandbox and volumes, again and again until they succeed.
    func prepare() async -> Bool {
        var delay = 100
        var told = ""
        while !stopping {
            do {
                if sandbox == nil {
                    sandbox = try await Sandbox.start(
                        pod.name, spec, namespace: pod.namespace, folder: folder, network: context.network)
                }
                try await volumes.write()
                await publish()
                return true
            } catch {
                let problem = error as? RuntimeError ?? RuntimeError("\(error)")
                if problem.message != told {
                    let reason = sandbox == nil ? "FailedCreatePodSandBox" : "FailedMount"
                    await event(nil, warning: true, reason, problem.message)
                    told = problem.message
                }
                try? await Task.sleep(for: .milliseconds(delay))
                delay = min(delay * 2, 5000)
            }
        }
        return false
    }

    /// Returns whether the pod may go on.
    func runInit(_ container: Container) async -> Bool {
        if container.restartPolicy == "Always" {
            let task = Task { await keepRunning(container, sidecar: true) }
            sidecarTasks.append(task)
            await waitUntilStarted(container.name)
            return !stopping
        }
        await keepRunning(container, sidecar: false)
        return states[container.name]?.termination?.code == 0
    }

    var sidecarTasks: [Task<Void, Never>] = []
    var startWaiters: [String: [CheckedContinuation<Void, Never>]] = [:]

    func waitUntilStarted(_ name: String) async {
        if stopping || states[name]?.started == true { return }
        await withCheckedContinuation { startWaiters[name, default: []].append($0) }
    }

    func wake(_ name: String) {
        for waiter in startWaiters.removeValue(forKey: name) ?? [] { waiter.resume() }
    }

    /// Runs the container, and again as the restart policy says, until it has ended for good.
    func keepRunning(_ container: Container, sidecar: Bool) async {
        let isInit = states[container.name]?.isInit == true
        let policy =
            sidecar
            ? "Always" : (isInit && spec.restartPolicy != "Never" ? "OnFailure" : spec.restartPolicy ?? "Always")
        var backoff = 0
        while !stopping {
            let begun = ContinuousClock.now
            guard let code = await runOnce(container) else {
                await pause(.seconds(2))
                continue
            }
            if stopping || policy == "Never" || (policy == "OnFailure" && code == 0) { return }
            if ContinuousClock.now - begun > .seconds(600) { backoff = 0 }
            if backoff > 0 { await waitBackOff(container, seconds: backoff) }
            backoff = backoff == 0 ? 10 : min(backoff * 2, 300)
            guard !stopping else { return }
            states[container.name]?.restarts += 1
        }
    }

    func waitBackOff(_ container: Container, seconds: Int) async {
        let place = "container=\(container.name) pod=\(pod.name)_\(pod.namespace)(\(uid))"
        await waiting(
            container.name, "CrashLoopBackOff", "back-off \(Self.duration(seconds)) restarting failed \(place)")
        await event(
            container.name, warning: true, "BackOff",
            "Back-off restarting failed container \(container.name) in pod \(place.split(separator: "pod=").last ?? "")"
        )
        await pause(.seconds(seconds))
    }

    /// Waits, but not beyond the beginning of the pod's end.
    func pause(_ duration: Duration) async {
        let end = ContinuousClock.now + duration
        while !stopping, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(100)) }
    }

    static func duration(_ seconds: Int) -> String { seconds < 60 ? "\(seconds)s" : "\(seconds / 60)m\(seconds % 60)s" }

    func waiting(_ name: String, _ reason: String, _ message: String?) async {
        if let end = states[name]?.termination { states[name]?.last = end }
        states[name]?.phase = .waiting(reason: reason, message: message)
        await publish()
    }

    // MARK: - What others see

    /// The pod's object is gone: nobody can ask for its logs any more.
    func removeLogs() { Files.remove(logFolder) }

    func log(_ container: String, previous: Bool) -> ContainerLog? {
        let kept = logs[container] ?? []
        return previous ? (kept.count > 1 ? kept[0] : nil) : kept.last
    }

    func running(_ container: String) -> RunningContainer? { processes[container] }
    func hasContainer(_ name: String) -> Bool { states[name] != nil }

    func execute(_ name: String, _ command: [String]) async -> (code: Int, output: String) {
        guard let run = processes[name] else { return (126, "container not running") }
        return await ExecSession.capture(run, command, folder: folder)
    }

    func event(_ container: String?, warning: Bool = false, _ reason: String, _ message: String) async {
        await context.api.event(pod, container: container, warning: warning, reason: reason, message: message)
    }

    func publish() async {
        let builder = PodStatusBuilder(
            spec: spec, states: order.compactMap { states[$0] }, address: sandbox?.address ?? "", startTime: startTime,
            sandboxReady: sandbox != nil, failure: nil, old: lastStatus, now: Timestamps.now())
        let status = builder.status()
        guard status != lastStatus else { return }
        lastStatus = status
        await context.api.updatePodStatus(pod, status: status)
    }
}

/// A container identifier: 64 hexadecimal digits.
func stableID(_ text: String) -> String {
    var result = ""
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for round in 0..<4 {
        for byte in text.utf8 { hash = (hash ^ UInt64(byte) ^ UInt64(round)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        result += String(repeating: "0", count: 16 - digits.count) + digits
    }
    return result
}
