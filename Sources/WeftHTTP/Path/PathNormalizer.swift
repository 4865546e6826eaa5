package import NIOCore

/// Brings request paths to one form, so that a policy and an application see the same thing (RFC 3986 section 6.2.2).
package struct PathNormalizer: Sendable, Hashable {
    package enum EscapedSlashes: Sendable, Hashable { case keep, reject, unescapeAndRedirect, unescape }
    package enum Outcome: Sendable, Hashable {
        case unchanged
        case changed(ByteBuffer)
        /// Answer 307 with this location.
        case redirect(ByteBuffer)
        /// Answer 400.
        case reject
    }
    package var normalize: Bool
    package var mergeSlashes: Bool
    package var escapedSlashes: EscapedSlashes

    package init(normalize: Bool = true, mergeSlashes: Bool = false, escapedSlashes: EscapedSlashes = .keep) {
        self.normalize = normalize
        self.mergeSlashes = mergeSlashes
        self.escapedSlashes = escapedSlashes
    }

    /// - Parameter target: path with query; the query is never touched.
    package func apply(_ target: ByteBuffer) -> Outcome {
        let all = target.readableBytesView
        guard all.first == 47 else { return .unchanged }
        let queryStart = all.firstIndex { $0 == 63 || $0 == 35 } ?? all.endIndex
        let original = Array(all[all.startIndex..<queryStart])
        var path = original
        var redirects = false
        // An escaped NUL ends a name for some applications and not for others.
        if normalize, PathNormalizer.holdsEscapedNUL(path) { return .reject }
        if escapedSlashes != .keep, let unescaped = PathNormalizer.unescapeSlashes(path) {
            if escapedSlashes == .reject { return .reject }
            redirects = escapedSlashes == .unescapeAndRedirect
            path = unescaped
        }
        if normalize {
            path = PathNormalizer.decodeUnreserved(path.map { $0 == 92 ? 47 : $0 })
            path = PathNormalizer.removeDotSegments(path)
        }
        if mergeSlashes { path = PathNormalizer.merge(path) }
        guard path != original else { return .unchanged }
        var result = ByteBuffer(bytes: path)
        result.writeBytes(all[queryStart..<all.endIndex])
        return redirects ? .redirect(result) : .changed(result)
    }

    private static func holdsEscapedNUL(_ path: [UInt8]) -> Bool {
        path.indices.dropLast(2).contains { path[$0] == 37 && path[$0 + 1] == 48 && path[$0 + 2] == 48 }
    }

    /// `nil` when there is no `%2F` or `%5C`.
    private static func unescapeSlashes(_ path: [UInt8]) -> [UInt8]? {
        let (decoded, changed) = decode(path) { $0 == 47 || $0 == 92 }
        return changed ? decoded : nil
    }

    private static func decodeUnreserved(_ path: [UInt8]) -> [UInt8] {
        decode(path) { byte in
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: true
            default: false
            }
        }.0
    }

    private static func decode(_ path: [UInt8], _ wanted: (UInt8) -> Bool) -> ([UInt8], Bool) {
        guard path.contains(37) else { return (path, false) }
        var result: [UInt8] = []
        var index = 0
        var changed = false
        while index < path.count {
            if path[index] == 37, index + 2 < path.count, let high = ASCII.hexValue(path[index + 1]),
                let low = ASCII.hexValue(path[index + 2]), wanted(high << 4 | low)
            {
                result.append(high << 4 | low)
                index += 3
                changed = true
            } else {
                result.append(path[index])
                index += 1
            }
        }
        return (result, changed)
    }

    /// RFC 3986 section 5.2.4: `..` at the root stays at the root. Parameters of a dot segment (`..;x`) go with it:
    /// some applications cut them off before they resolve the path.
    private static func removeDotSegments(_ path: [UInt8]) -> [UInt8] {
        let segments = path.dropFirst().split(separator: 47, omittingEmptySubsequences: false)
        var kept: [ArraySlice<UInt8>] = []
        for (index, segment) in segments.enumerated() {
            let isLast = index == segments.count - 1
            let name = segment.first == 46 ? segment.prefix { $0 != 59 } : segment
            if name.elementsEqual([46]) {
                if isLast { kept.append([]) }
            } else if name.elementsEqual([46, 46]) {
                _ = kept.popLast()
                if isLast { kept.append([]) }
            } else {
                kept.append(segment)
            }
        }
        return [47] + kept.joined(separator: [47])
    }

    private static func merge(_ path: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for byte in path where byte != 47 || result.last != 47 { result.append(byte) }
        return result
    }
}
