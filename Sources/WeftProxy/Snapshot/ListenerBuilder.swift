import NIOSSL
import WeftIR
import WeftRouting
import WeftTransport

/// Compiles listeners, and keeps of those before what did not change: token buckets, counts, route tables and TLS
/// contexts stay, and connections of a filter chain that is what it was need not drain.
struct ListenerBuilder {
    /// What TLS contexts are made of.
    struct Secrets {
        let factory: TLSContextFactory
        let content: (SecretReference) -> Secret.Content?
    }

    private struct Chain {
        let chain: FilterChain
        let secrets: [Secret.Content?]
        let compiled: CompiledChain
        let problems: [String]
    }
    private struct Entry {
        let listener: Listener
        let chains: [String: Chain]
        let compiled: CompiledListener
        /// What is wrong with the listener's own access logs.
        let problems: [String]
    }
    private var entries: [String: Entry] = [:]

    mutating func build(
        _ listeners: [String: Listener], _ secrets: Secrets, _ problems: inout [String]
    ) -> [String: CompiledListener] {
        var next: [String: Entry] = [:]
        next.reserveCapacity(listeners.count)
        for (name, listener) in listeners {
            let entry = build(listener, entries[name], secrets)
            for chain in entry.chains.values { problems += chain.problems }
            problems += entry.problems
            problems += entry.compiled.matcher.problems.map { "listener \(name): \($0)" }
            next[name] = entry
        }
        entries = next
        return next.mapValues(\.compiled)
    }

    private func build(_ listener: Listener, _ known: Entry?, _ secrets: Secrets) -> Entry {
        // Other listener filters or another address are another listener to a connection; chains come and go singly.
        let keepsLineage = known.map { Self.withoutChains($0.listener) == Self.withoutChains(listener) } ?? false
        var chains: [String: Chain] = [:]
        var order: [Chain] = []
        func add(_ chain: FilterChain, _ key: String) -> Chain {
            let made = build(chain, of: listener, known?.chains[key], keepsLineage, secrets)
            chains[key] = made
            return made
        }
        var counts: [String: Int] = [:]
        for chain in listener.filterChains {
            let number = counts[chain.name, default: 0]
            counts[chain.name] = number + 1
            order.append(add(chain, "\(number) \(chain.name)"))
        }
        let last = listener.defaultFilterChain.map { add($0, "default") }
        if let known, known.listener == listener, Self.areSame(known.chains, chains) { return known }
        var problems: [String] = []
        let logs = CompiledAccessLog.compile(listener.accessLogs, &problems)
        let compiled = CompiledListener(
            listener, chains: order.map(\.compiled), defaultChain: last?.compiled, logs: logs)
        return Entry(
            listener: listener, chains: chains, compiled: compiled,
            problems: problems.map { "listener \(listener.name): \($0)" })
    }

    private static func withoutChains(_ listener: Listener) -> Listener {
        var listener = listener
        listener.filterChains = []
        listener.defaultFilterChain = nil
        return listener
    }

    private static func areSame(_ left: [String: Chain], _ right: [String: Chain]) -> Bool {
        left.count == right.count && left.allSatisfy { right[$0.key]?.compiled === $0.value.compiled }
    }

    private func build(
        _ chain: FilterChain, of listener: Listener, _ known: Chain?, _ keepsLineage: Bool, _ secrets: Secrets
    ) -> Chain {
        let references = (chain.tls?.common.certificates ?? []) + [chain.tls?.common.validation].compactMap { $0 }
        let contents = references.map { secrets.content($0) }
        let isSame = keepsLineage && known?.chain == chain
        if isSame, let known, known.secrets == contents, known.problems.isEmpty { return known }
        var problems: [String] = []
        var context: NIOSSLContext?
        if let tls = chain.tls {
            do { context = try secrets.factory.server(tls) } catch {
                problems.append("listener \(listener.name), chain \(chain.name): \(error)")
            }
        }
        let isWaiting = !problems.isEmpty
        let filters = Filters(chain, of: listener, reusing: known?.compiled)
        problems += filters.problems.map { "listener \(listener.name), chain \(chain.name): \($0)" }
        let names = PeerNameMatcher(chain.tls.map { secrets.factory.rules($0.common) } ?? ValidationRules())
        let compiled = CompiledChain(
            chain, tls: context, isWaitingForSecret: isWaiting, acceptsPeer: { names.accepts($0) },
            ownNames: chain.tls.map(secrets.factory.ownNames) ?? [], networkRBAC: filters.engines,
            authorizers: filters.authorizers,
            limiters: filters.limiters, gates: filters.gates, terminal: filters.terminal, logs: filters.logs,
            lineage: isSame ? known?.compiled.lineage : nil)
        return Chain(chain: chain, secrets: contents, compiled: compiled, problems: problems)
    }

    /// The network filters of one chain.
    private struct Filters {
        private(set) var engines: [RBACEngine] = []
        private(set) var authorizers: [ConnectionAuthorizer] = []
        private(set) var limiters: [ConnectionLimiter] = []
        private(set) var gates: [ConnectionRateGate] = []
        private(set) var terminal = CompiledChain.Terminal.none
        /// Of TCP connections.
        private(set) var logs: [CompiledAccessLog] = []
        private(set) var problems: [String] = []

        init(_ chain: FilterChain, of listener: Listener, reusing known: CompiledChain?) {
            let before = known?.chain.filters
            for (position, filter) in chain.filters.enumerated() {
                let isSame = before.map { position < $0.count && $0[position] == filter } ?? false
                switch filter {
                case .rbac(let rules):
                    let place = engines.count
                    let kept = isSame && place < known?.networkRBAC.count ?? 0 ? known?.networkRBAC[place] : nil
                    let engine = kept ?? RBACEngine(rules)
                    problems += engine.problems
                    engines.append(engine)
                case .tcpProxy(let proxy):
                    terminal = .tcp(proxy)
                    logs = CompiledAccessLog.compile(proxy.accessLogs, &problems)
                case .httpConnectionManager(let manager):
                    var previous: CompiledManager?
                    if case .http(let compiled)? = known?.terminal { previous = compiled }
                    let isKept = isSame && previous?.direction == listener.trafficDirection
                    let kept = isKept ? previous : nil
                    let compiled =
                        kept ?? CompiledManager(manager, direction: listener.trafficDirection, reusing: previous)
                    problems += compiled.problems
                    terminal = .http(compiled)
                case .connectionLimit(let limit):
                    let place = limiters.count
                    let kept = isSame && place < known?.limiters.count ?? 0 ? known?.limiters[place] : nil
                    limiters.append(kept ?? ConnectionLimiter(limit))
                case .externalAuthorization(let check):
                    let place = authorizers.count
                    let kept = isSame && place < known?.authorizers.count ?? 0 ? known?.authorizers[place] : nil
                    authorizers.append(kept ?? ConnectionAuthorizer(check))
                case .connectionRateLimit, .connectionQuota:
                    let place = gates.count
                    let kept = isSame && place < known?.gates.count ?? 0 ? known?.gates[place] : nil
                    if let gate = kept ?? ConnectionRateGate(filter) { gates.append(gate) }
                case .stats, .sniCluster: break
                }
            }
        }
    }
}
