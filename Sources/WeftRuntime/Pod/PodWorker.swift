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
    private let spec: PodSpec
    private var states: [String: ContainerState] = [:]
    private let order: [String]
    private var sandbox: Sandbox?
    private var processes: [String: RunningContainer] = [:]
    private var logs: [String: [ContainerLog]] = [:]
    private var startTime = Timestamps.now()
    private var lastStatus: JSONValue?
    private var stopping = false
    private var main: Task<Void, Never>?
    private var ending: Task<Void, Never>?

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

    private var folder: String { "\(context.home)/pods/\(uid)" }
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

    private func run() async {
        await publish()
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
    private func prepare() async -> Bool {
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
    private func runInit(_ container: Container) async -> Bool {
        if container.restartPolicy == "Always" {
            let task = Task { await keepRunning(container, sidecar: true) }
            sidecarTasks.append(task)
            await waitUntilStarted(container.name)
            return !stopping
        }
        await keepRunning(container, sidecar: false)
        return states[container.name]?.termination?.code == 0
    }

    private var sidecarTasks: [Task<Void, Never>] = []
    private var startWaiters: [String: [CheckedContinuation<Void, Never>]] = [:]

    private func waitUntilStarted(_ name: String) async {
        if stopping || states[name]?.started == true { return }
        await withCheckedContinuation { startWaiters[name, default: []].append($0) }
    }

    private func wake(_ name: String) {
        for waiter in startWaiters.removeValue(forKey: name) ?? [] { waiter.resume() }
    }

    /// Runs the container, and again as the restart policy says, until it has ended for good.
    private func keepRunning(_ container: Container, sidecar: Bool) async {
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

    private func waitBackOff(_ container: Container, seconds: Int) async {
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
    private func pause(_ duration: Duration) async {
        let end = ContinuousClock.now + duration
        while !stopping, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(100)) }
    }

    static func duration(_ seconds: Int) -> String { seconds < 60 ? "\(seconds)s" : "\(seconds / 60)m\(seconds % 60)s" }

    private func waiting(_ name: String, _ reason: String, _ message: String?) async {
        if let end = states[name]?.termination { states[name]?.last = end }
        states[name]?.phase = .waiting(reason: reason, message: message)
        await publish()
    }

    /// One run. `nil`: it could not be started, for a reason that may go away.
    private func runOnce(_ container: Container) async -> Int? {
        do {
            return try await runProcess(container)
        } catch {
            let problem = error as? RuntimeError ?? RuntimeError("\(error)")
            if states[container.name]?.phase != .waiting(reason: problem.reason, message: problem.message) {
                await event(container.name, warning: true, "Failed", "Error: \(problem.message)")
                await waiting(container.name, problem.reason, problem.message)
            }
            return nil
        }
    }

    private func runProcess(_ container: Container) async throws -> Int {
        guard let sandbox else { throw RuntimeError("the pod has no sandbox") }
        let (arguments, known) = try context.catalogue.command(for: container)
        let image = container.image ?? ""
        await event(
            container.name, "Pulled",
            known
                ? "Container image \"\(image)\" already present on machine"
                : "Image \"\(image)\" is not in the catalogue; running its command \"\(arguments.first ?? "")\" from this machine"
        )
        let (run, id, output) = try await launch(container, arguments, sandbox)
        await event(container.name, "Created", "Created container: \(container.name)")
        var failure: String?
        var began: String?
        var probes: Task<Void, Never>?
        var code = 128
        for await line in run.process.lines {
            if line.hasPrefix("started "), let pid = Int(line.dropFirst(8)) {
                var run = run
                run.initPID = pid
                began = Timestamps.now()
                await didStart(container, run, id: id, at: began ?? "")
                probes = Task { await self.probe(container, id: id) }
            } else if line.hasPrefix("exit "), let number = Int(line.dropFirst(5)) {
                code = number
            } else if line.hasPrefix("error ") {
                failure = String(line.dropFirst(6))
            }
        }
        probes?.cancel()
        _ = await run.process.collect()
        output.finish()
        await didEnd(container, code: code, failure: failure, began: began, id: id)
        return code
    }

    private func launch(_ container: Container, _ arguments: [String], _ sandbox: Sandbox) async throws
        -> (RunningContainer, String, ContainerLog)
    {
        let environment = PodEnvironment(pod: pod, spec: spec, address: sandbox.address)
        let namespace = pod.namespace
        let api = context.api
        var variables = try await environment.variables(container) { kind, name in
            await api.object(kind: kind, namespace: namespace, name: name)
                .map { PodVolumes.bytes($0).mapValues { String(decoding: $0, as: UTF8.self) } }
        }
        var sockets: [PublishedSocket] = []
        if let typed = try? pod.decode(Pod.self) { sockets = await api.publishedSockets(typed) }
        if !sockets.isEmpty {
            let text = sockets.enumerated().map { "\($0.element.containerPort)=\(5 + $0.offset)" }.joined(
                separator: ",")
            variables.append(("WEFT_LISTEN_FDS", text))
        }
        let known = Dictionary(variables.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        let launch = ContainerLaunch(
            container: container, spec: spec, volumes: volumes, sandbox: sandbox, home: context.home,
            binaries: context.catalogue.binaries,
            arguments: arguments.map { PodEnvironment.expand($0, known) }, environment: variables)
        let run = states[container.name]?.restarts ?? 0
        let id = "\(stableID(uid + container.name + String(run) + Timestamps.now(nanoseconds: true)))"
        let scratch = "\(folder)/\(container.name)"
        try Files.makeDirectory("\(scratch)/root")
        try launch.records(scratch: "\(scratch)/root", sockets: sockets.count).write(to: "\(scratch)/launch.spec")
        let log = try openLog(container.name, run)
        let out = try ChildProcess.pipe()
        let err = try ChildProcess.pipe()
        let process = try await ChildProcess(
            "launch", spec: "\(scratch)/launch.spec", standard: [-1, out.write, err.write],
            inherited: sockets.map(\.descriptor))
        for (descriptor, name) in [(out.read, "stdout"), (err.read, "stderr")] {
            try await Pipes.read(descriptor, splitLines: true, onBytes: { log.append($0, stream: name) }, onEnd: {})
        }
        return (RunningContainer(process: process, initPID: 0, launch: launch), id, log)
    }

    private func openLog(_ name: String, _ run: Int) throws -> ContainerLog {
        let folder = "\(context.home)/logs/\(pod.namespace)_\(pod.name)_\(uid)/\(name)"
        try Files.makeDirectory(folder)
        let log = try ContainerLog(path: "\(folder)/\(run).log")
        logs[name] = Array((logs[name] ?? []).suffix(1)) + [log]
        return log
    }

    private func didStart(_ container: Container, _ run: RunningContainer, id: String, at time: String) async {
        let name = container.name
        let counts = states[name]?.isInit == false || states[name]?.isSidecar == true
        let ready = container.startupProbe == nil && container.readinessProbe == nil && counts
        processes[name] = run
        if let end = states[name]?.termination { states[name]?.last = end }
        states[name]?.phase = .running(since: time)
        states[name]?.id = id
        states[name]?.started = container.startupProbe == nil
        states[name]?.ready = ready
        if stopping { run.process.signal(9) }
        if states[name]?.started == true { wake(name) }
        await publish()
        await event(name, "Started", "Started container \(name)")
        if let hook = container.lifecycle?.postStart { Task { await self.runHook(hook, container, "PostStart") } }
    }

    private func didEnd(_ container: Container, code: Int, failure: String?, began: String?, id: String) async {
        let name = container.name
        let wasInit = states[name]?.isInit == true && states[name]?.isSidecar == false
        processes[name] = nil
        let failedToStart = failure != nil && (code >= 126)
        let reason = failedToStart ? "StartError" : code == 0 ? "Completed" : "Error"
        let message = failure.map { "failed to create containerd task: failed to start container: \($0): unknown" }
        states[name]?.phase = .terminated(
            .init(
                code: failedToStart ? 128 : code, reason: reason, message: message, started: began,
                finished: Timestamps.now()))
        states[name]?.id = id
        states[name]?.ready = wasInit && code == 0
        states[name]?.started = false
        if let message { await event(name, warning: true, "Failed", "Error: \(message)") }
        await publish()
    }

    // MARK: - Probes

    private func probe(_ container: Container, id: String) async {
        guard let address = sandbox?.address else { return }
        let runner = ProbeRunner(address: address) { command in await self.execute(container.name, command) }
        if let startup = container.startupProbe {
            guard await repeatUntilSuccess(startup, container, runner) else { return }
            guard states[container.name]?.id == id else { return }
            states[container.name]?.started = true
            if container.readinessProbe == nil { states[container.name]?.ready = true }
            wake(container.name)
            await publish()
        }
        await withTaskGroup(of: Void.self) { group in
            if let readiness = container.readinessProbe {
                group.addTask { await self.watchReadiness(readiness, container, runner) }
            }
            if let liveness = container.livenessProbe {
                group.addTask { await self.watchLiveness(liveness, container, runner) }
            }
        }
    }

    /// Starts with an immediate check, and looks often at first so that pods become ready quickly.
    private func repeatUntilSuccess(_ probe: Probe, _ container: Container, _ runner: ProbeRunner) async -> Bool {
        try? await Task.sleep(for: .seconds(probe.initialDelaySeconds ?? 0))
        let period = Duration.seconds(probe.periodSeconds ?? 10)
        let begun = ContinuousClock.now
        var failures = 0
        var nextCounted = begun
        while !Task.isCancelled, !stopping {
            guard let problem = await runner.check(probe, container) else { return true }
            if ContinuousClock.now >= nextCounted {
                failures += 1
                nextCounted = ContinuousClock.now + period
                if failures > 1 { await unhealthy(container.name, "Startup", problem) }
            }
            if failures > (probe.failureThreshold ?? 3) {
                await kill(container, "failed startup probe")
                return false
            }
            try? await Task.sleep(for: min(period, .milliseconds(100)))
        }
        return false
    }

    private func watchReadiness(_ probe: Probe, _ container: Container, _ runner: ProbeRunner) async {
        try? await Task.sleep(for: .seconds(probe.initialDelaySeconds ?? 0))
        let period = Duration.seconds(max(1, probe.periodSeconds ?? 10))
        let begun = ContinuousClock.now
        var (failures, successes) = (0, 0)
        while !Task.isCancelled, !stopping {
            let problem = await runner.check(probe, container)
            if Task.isCancelled { return }
            let wasReady = states[container.name]?.ready == true
            if let problem {
                (failures, successes) = (failures + 1, 0)
                let early = !wasReady && ContinuousClock.now - begun < .seconds(30)
                if !early { await unhealthy(container.name, "Readiness", problem) }
                if failures >= (probe.failureThreshold ?? 3), wasReady { await setReady(container.name, false) }
                // Until it is ready for the first time, look often: a start is judged by its last moment.
                try? await Task.sleep(for: early ? min(period, .milliseconds(100)) : period)
            } else {
                (failures, successes) = (0, successes + 1)
                if successes >= (probe.successThreshold ?? 1), !wasReady { await setReady(container.name, true) }
                try? await Task.sleep(for: period)
            }
        }
    }

    private func setReady(_ name: String, _ ready: Bool) async {
        guard states[name]?.isRunning == true else { return }
        states[name]?.ready = ready
        await publish()
    }

    private func watchLiveness(_ probe: Probe, _ container: Container, _ runner: ProbeRunner) async {
        let period = Duration.seconds(max(1, probe.periodSeconds ?? 10))
        try? await Task.sleep(for: .seconds(probe.initialDelaySeconds ?? 0) + period)
        var failures = 0
        while !Task.isCancelled, !stopping {
            if let problem = await runner.check(probe, container), !Task.isCancelled {
                failures += 1
                await unhealthy(container.name, "Liveness", problem)
                if failures >= (probe.failureThreshold ?? 3) { return await kill(container, "failed liveness probe") }
            } else {
                failures = 0
            }
            try? await Task.sleep(for: period)
        }
    }

    private func unhealthy(_ name: String, _ kind: String, _ problem: String) async {
        await event(name, warning: true, "Unhealthy", "\(kind) probe failed: \(problem)")
    }

    // MARK: - End

    private func kill(_ container: Container, _ why: String) async {
        await event(container.name, "Killing", "Container \(container.name) \(why), will be restarted")
        await stop(container.name, grace: spec.terminationGracePeriodSeconds ?? 30)
    }

    /// preStop, SIGTERM, and SIGKILL when the time is over.
    private func stop(_ name: String, grace: Int) async {
        guard let run = processes[name] else { return }
        let deadline = ContinuousClock.now + .seconds(grace)
        if let hook = run.launch.container.lifecycle?.preStop, grace > 0 {
            let task = Task { await self.runHook(hook, run.launch.container, "PreStop") }
            let limit = Task {
                try? await Task.sleep(until: deadline)
                task.cancel()
            }
            await task.value
            limit.cancel()
        }
        run.process.signal(15)
        while processes[name]?.process === run.process, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        guard processes[name]?.process === run.process else { return }
        // The launcher cannot catch SIGKILL; its death takes the container's first process with it.
        run.process.signal(9)
        while processes[name]?.process === run.process { try? await Task.sleep(for: .milliseconds(20)) }
    }

    private func runHook(_ hook: Lifecycle.Handler, _ container: Container, _ kind: String) async {
        var problem: String?
        if let command = hook.exec?.command {
            let result = await execute(container.name, command)
            if result.code != 0 { problem = "command exited with \(result.code): \(result.output)" }
        } else if let request = hook.httpGet, let address = sandbox?.address {
            let runner = ProbeRunner(address: address) { _ in (1, "") }
            problem = await runner.http(request, container, 30)
        } else if let sleep = hook.sleep {
            try? await Task.sleep(for: .seconds(sleep.seconds))
        }
        if let problem { await event(container.name, warning: true, "Failed\(kind)Hook", problem) }
    }

    private func stopSidecars(grace: Int = 5) async {
        let sidecars = (spec.initContainers ?? []).filter { $0.restartPolicy == "Always" }
        guard !sidecars.isEmpty else { return }
        stopping = true
        for sidecar in sidecars.reversed() { await stop(sidecar.name, grace: grace) }
    }

    /// Ends everything; returns when no process of the pod is left. Safe to call more than once.
    func terminate(grace: Int) async {
        if let ending { return await ending.value }
        let task = Task { await end(grace: grace) }
        ending = task
        await task.value
    }

    private func end(grace: Int) async {
        stopping = true
        for name in startWaiters.keys { wake(name) }
        let begun = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for container in spec.containers where processes[container.name] != nil {
                group.addTask {
                    await self.event(container.name, "Killing", "Stopping container \(container.name)")
                    await self.stop(container.name, grace: grace)
                }
            }
        }
        let used = Int((ContinuousClock.now - begun).components.seconds)
        await stopSidecars(grace: max(1, grace - used))
        for name in processes.keys { await stop(name, grace: 0) }
        await main?.value
        for task in sidecarTasks { await task.value }
        if let sandbox {
            await sandbox.stop()
            context.network.release(sandbox.address)
        }
        sandbox = nil
        Files.remove(folder)
    }

    // MARK: - What others see

    func log(_ container: String, previous: Bool) -> ContainerLog? {
        let kept = logs[container] ?? []
        return previous ? (kept.count > 1 ? kept[0] : nil) : kept.last
    }

    func running(_ container: String) -> RunningContainer? { processes[container] }
    func hasContainer(_ name: String) -> Bool { states[name] != nil }

    private func execute(_ name: String, _ command: [String]) async -> (code: Int, output: String) {
        guard let run = processes[name] else { return (126, "container not running") }
        return await ExecSession.capture(run, command, folder: folder)
    }

    private func event(_ container: String?, warning: Bool = false, _ reason: String, _ message: String) async {
        await context.api.event(pod, container: container, warning: warning, reason: reason, message: message)
    }

    private func publish() async {
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
