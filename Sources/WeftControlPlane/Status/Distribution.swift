import WeftConfig
import WeftCore
import WeftTranslate

/// How far the connected proxies are with the configuration, at one moment.
struct Distribution: Sendable {
    struct Proxy: Sendable {
        var name: String
        var identity: ProxyIdentity
        var labels: [String: String]
        /// The newest snapshot that the proxy has taken up.
        var confirmed: UInt64
        /// Whether it refuses something of what it was sent.
        var isRejecting: Bool
    }
    /// How many of the proxies that an object concerns have it as it is now.
    struct Progress: Sendable, Hashable {
        var confirmed = 0
        var concerned = 0
        /// Some that have not, by name.
        var waiting: [String] = []
        /// What a proxy said when it refused something that was made from the object.
        var refusal: String?
        var isComplete: Bool { confirmed == concerned }
    }
    let proxies: [Proxy]
    let ledger: ObjectLedger
    let scope: ObjectScope
    /// What proxies said of what was made from each object.
    let refusals: [ResourceReference: String]
    /// The newest snapshot that every proxy has taken up.
    private let common: UInt64

    /// - Parameter refusals: findings about objects, as proxies refused what these were made into.
    init(proxies: [Proxy], ledger: ObjectLedger, scope: ObjectScope, refusals: [Diagnostic] = []) {
        self.refusals = refusals.reduce(into: [:]) { words, refusal in
            guard let resource = refusal.resource else { return }
            // The same one each time, whatever the order that proxies are asked in.
            words[resource] = words[resource].map { min($0, refusal.message) } ?? refusal.message
        }
        self.proxies = proxies
        self.ledger = ledger
        self.scope = scope
        common = proxies.map(\.confirmed).min() ?? .max
    }

    /// Whether every proxy there is has the object as it is now, those that it does not concern too.
    func isSettled(_ object: KubernetesObject) -> Bool { ledger.entry(of: object).map { $0.number <= common } ?? false }

    /// - Returns: `nil` if the object is not part of a snapshot in this form yet.
    func progress(of object: KubernetesObject) -> Progress? {
        guard let entry = ledger.entry(of: object) else { return nil }
        var progress = Progress()
        for proxy in proxies {
            let (kind, namespace) = (proxy.identity.kind, proxy.identity.namespace)
            guard scope.concerns(object, kind: kind, namespace: namespace, labels: proxy.labels) else { continue }
            progress.concerned += 1
            if proxy.confirmed >= entry.number {
                progress.confirmed += 1
            } else if progress.waiting.count < 5 {
                progress.waiting.append(proxy.isRejecting ? "\(proxy.name) (refuses it)" : proxy.name)
            }
        }
        progress.waiting.sort()
        if !progress.isComplete { progress.refusal = refusals[object.reference] }
        return progress
    }
}
