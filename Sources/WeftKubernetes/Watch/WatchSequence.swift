import AsyncHTTPClient
import NIOCore
import NIOHTTP1
package import WeftConfig
import WeftCore

/// One change that a watch reports.
package enum WatchEvent: Sendable, Hashable {
    case added(KubernetesObject)
    case modified(KubernetesObject)
    case deleted(KubernetesObject)
    /// Nothing changed up to this version.
    case bookmark(resourceVersion: String)

    /// The version to go on from after this event.
    package var resourceVersion: String {
        switch self {
        case .added(let object), .modified(let object), .deleted(let object): object.resourceVersion
        case .bookmark(let version): version
        }
    }

    /// Reads one line of a watch.
    ///
    /// - Throws: the error that an `ERROR` event carries, or that the line is no event.
    package init(parsing line: some Collection<UInt8>) throws {
        let json = try JSONValue(parsing: line)
        let object = json["object"] ?? .null
        switch json["type"]?.stringValue {
        case "ADDED": self = .added(KubernetesObject(object))
        case "MODIFIED": self = .modified(KubernetesObject(object))
        case "DELETED": self = .deleted(KubernetesObject(object))
        case "BOOKMARK": self = .bookmark(resourceVersion: KubernetesObject(object).resourceVersion)
        case "ERROR": throw KubernetesError(status: object)
        case let type:
            throw KubernetesError(
                code: 500, reason: "InternalError", message: "unknown watch event \(type ?? "without type")")
        }
    }
}

/// Cuts a stream of bytes into lines. Pure: chunks in, whole lines out.
struct LineSplitter {
    private var buffer = ByteBuffer()
    /// Where the search for the end of the line goes on, so that long lines are not read twice.
    private var searched = 0

    mutating func append(_ chunk: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = chunk
            searched = 0
        } else {
            buffer.writeImmutableBuffer(chunk)
        }
    }

    /// The next whole line without its end, or `nil` if more bytes are needed. Empty lines are skipped.
    mutating func next() -> ByteBuffer? {
        while true {
            let view = buffer.readableBytesView
            guard let end = view.dropFirst(searched).firstIndex(of: UInt8(ascii: "\n")) else {
                searched = view.count
                return nil
            }
            let line = buffer.readSlice(length: end - view.startIndex)
            buffer.moveReaderIndex(forwardBy: 1)
            searched = 0
            if let line, line.readableBytes > 0 { return line }
        }
    }
}

/// The changes of one collection from a version on, until the server ends the watch.
///
/// Ends quietly when the server closes (it does so now and then); throws ``KubernetesError`` when the version is
/// too old (``KubernetesError/isGone``). ``Informer`` handles both.
package struct WatchSequence: AsyncSequence, Sendable {
    package typealias Element = WatchEvent
    let body: HTTPClientResponse.Body

    package struct AsyncIterator: AsyncIteratorProtocol {
        var base: HTTPClientResponse.Body.AsyncIterator
        var lines = LineSplitter()

        @concurrent package mutating func next() async throws -> WatchEvent? {
            while true {
                if let line = lines.next() { return try WatchEvent(parsing: line.readableBytesView) }
                guard let chunk = try await base.next() else { return nil }
                lines.append(chunk)
            }
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: body.makeAsyncIterator()) }
}

extension KubernetesClient {
    /// Starts a watch with bookmarks.
    ///
    /// - Parameter resourceVersion: go on after this version; `nil` sends the present objects as added first.
    package func watch(
        _ resource: APIResource, namespace: String? = nil, options: ListOptions = ListOptions(),
        resourceVersion: String?, timeoutSeconds: Int = 300
    ) async throws -> WatchSequence {
        var query = options.query
        query += [("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", String(timeoutSeconds))]
        if let resourceVersion, !resourceVersion.isEmpty { query.append(("resourceVersion", resourceVersion)) }
        return WatchSequence(body: try await open(.GET, resource.path(namespace: namespace), query: query).body)
    }
}
