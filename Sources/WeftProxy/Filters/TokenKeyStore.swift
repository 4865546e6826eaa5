import NIOCore
import WeftHTTP
import WeftIR
import WeftJWT
import WeftTransport

/// Remote keys of JWT providers, as one worker knows them.
///
/// Loop-confined. One fetch at a time for each address, whoever asks; good keys are kept for the provider's cache time,
/// a failure for a second or what the provider says, so that a dead key server is not asked by every request. Keys
/// whose time is over are not used: when a new fetch fails, tokens are refused.
final class TokenKeyStore {
    private struct Source: Hashable {
        var uri: String
        var cluster: String
    }
    private final class Entry {
        var keys: JWTAuthenticator.RemoteKeys = .unknown
        var until = NIODeadline.distantPast
        var waiters: [() -> Void] = []
        var isFetching = false
    }
    private unowned let worker: Worker
    private var entries: [Source: Entry] = [:]
    /// More addresses than this are a mistake of the configuration; the cache starts anew.
    private static let entryLimit = 1_024

    init(worker: Worker) { self.worker = worker }

    func keys(_ remote: JWTAuthentication.Remote) -> JWTAuthenticator.RemoteKeys {
        guard let entry = entries[Source(uri: remote.uri, cluster: remote.cluster)], entry.until > .now() else {
            return .unknown
        }
        return entry.keys
    }

    /// Fetches the keys, unless they are known; then calls back, whatever came of it.
    func fetch(_ remote: JWTAuthentication.Remote, then done: @escaping () -> Void) {
        let source = Source(uri: remote.uri, cluster: remote.cluster)
        if entries.count > Self.entryLimit, entries[source] == nil { entries = entries.filter { $0.value.isFetching } }
        let entry = entries[source] ?? Entry()
        entries[source] = entry
        if entry.until > .now() { return done() }
        entry.waiters.append(done)
        guard !entry.isFetching else { return }
        entry.isFetching = true
        ask(remote, entry, triesLeft: remote.numRetries)
    }

    private func ask(_ remote: JWTAuthentication.Remote, _ entry: Entry, triesLeft: UInt32) {
        guard let request = Self.request(remote.uri) else { return settle(remote, entry, .failed(.keysFetchFailed)) }
        ClusterCall.start(
            request, cluster: remote.cluster, on: worker, timeoutMilliseconds: remote.timeoutMilliseconds,
            limit: KeySet.sizeLimit
        ) { [self] result in
            if case .success(let answer) = result, answer.head.status == 200 {
                return settle(remote, entry, Self.read(answer.body))
            }
            if triesLeft > 0 { return ask(remote, entry, triesLeft: triesLeft - 1) }
            settle(remote, entry, .failed(.keysFetchFailed))
        }
    }

    private static func read(_ body: ByteBuffer) -> JWTAuthenticator.RemoteKeys {
        do throws(JWTFailure) {
            return .known(try KeySet(jwks: Array(body.readableBytesView)))
        } catch {
            return .failed(error)
        }
    }

    private func settle(_ remote: JWTAuthentication.Remote, _ entry: Entry, _ keys: JWTAuthenticator.RemoteKeys) {
        entry.keys = keys
        entry.isFetching = false
        var span = remote.cacheMilliseconds
        if case .failed = keys { span = remote.failedRefetchMilliseconds }
        // At least a moment, so that those who wait find an answer.
        entry.until = .now() + .milliseconds(Int64(clamping: max(100, min(span, 86_400_000))))
        let waiters = entry.waiters
        entry.waiters = []
        for done in waiters { done() }
    }

    /// The GET for `http://host/path` or `https://…`; TLS is the cluster's affair.
    static func request(_ uri: String) -> RequestHead? {
        guard let scheme = ["http://", "https://"].first(where: uri.hasPrefix) else { return nil }
        let rest = uri.dropFirst(scheme.count)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let host = rest[..<slash]
        let path = slash == rest.endIndex ? "/" : String(rest[slash...].prefix { $0 != "#" })
        guard !host.isEmpty, (host + path).utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else { return nil }
        return RequestHead(.get, path, authority: String(host))
    }
}
