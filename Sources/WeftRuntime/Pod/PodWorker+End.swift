import WeftConfig

/// How containers and the whole pod are brought to their end.
extension PodWorker {
    func kill(_ container: Container, _ why: String) async {
        await event(container.name, "Killing", "Container \(container.name) \(why), will be restarted")
        await stop(container.name, grace: spec.terminationGracePeriodSeconds ?? 30)
    }

    /// preStop, SIGTERM, and SIGKILL when the time is over.
    func stop(_ name: String, grace: Int) async {
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

    func runHook(_ hook: Lifecycle.Handler, _ container: Container, _ kind: String) async {
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

    func stopSidecars(grace: Int = 5) async {
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

    func end(grace: Int) async {
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
}
