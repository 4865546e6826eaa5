import WeftConfig

/// The startup, readiness and liveness checks of a pod's containers.
extension PodWorker {
    func probe(_ container: Container, id: String) async {
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
    func repeatUntilSuccess(_ probe: Probe, _ container: Container, _ runner: ProbeRunner) async -> Bool {
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

    func watchReadiness(_ probe: Probe, _ container: Container, _ runner: ProbeRunner) async {
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

    func setReady(_ name: String, _ ready: Bool) async {
        guard states[name]?.isRunning == true else { return }
        states[name]?.ready = ready
        await publish()
    }

    func watchLiveness(_ probe: Probe, _ container: Container, _ runner: ProbeRunner) async {
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

    func unhealthy(_ name: String, _ kind: String, _ problem: String) async {
        await event(name, warning: true, "Unhealthy", "\(kind) probe failed: \(problem)")
    }
}
