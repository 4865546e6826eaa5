import WeftConfig
import WeftCore

/// One run of one container: its launch, its log, its start and its end.
extension PodWorker {
    /// One run. `nil`: it could not be started, for a reason that may go away.
    func runOnce(_ container: Container) async -> Int? {
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

    func runProcess(_ container: Container) async throws -> Int {
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

    func launch(_ container: Container, _ arguments: [String], _ sandbox: Sandbox) async throws
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

    func openLog(_ name: String, _ run: Int) throws -> ContainerLog {
        let folder = "\(logFolder)/\(name)"
        try Files.makeDirectory(folder)
        let log = try ContainerLog(path: "\(folder)/\(run).log")
        logs[name] = Array((logs[name] ?? []).suffix(1)) + [log]
        // `logs --previous` reaches one run back; older ones would fill the disk when a container crashes for days.
        let kept = Set((logs[name] ?? []).flatMap(\.paths))
        for file in Files.names(in: folder) where !kept.contains("\(folder)/\(file)") {
            Files.remove("\(folder)/\(file)")
        }
        return log
    }

    func didStart(_ container: Container, _ run: RunningContainer, id: String, at time: String) async {
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

    func didEnd(_ container: Container, code: Int, failure: String?, began: String?, id: String) async {
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
}
