package import NIOCore
package import WeftIR

/// Cuts request targets into path and query.
package enum PathAndQuery {
    package static func path(_ target: ByteBuffer) -> ByteBufferView {
        let all = target.readableBytesView
        return all[all.startIndex..<(all.firstIndex { $0 == 63 || $0 == 35 } ?? all.endIndex)]
    }

    /// The raw value of the first parameter `name`; empty when it has none.
    package static func parameter(_ name: [UInt8], in target: ByteBuffer) -> ByteBufferView? {
        let all = target.readableBytesView
        guard let mark = all.firstIndex(of: 63) else { return nil }
        for pair in all[all.index(after: mark)...].split(separator: 38) {
            let equals = pair.firstIndex(of: 61) ?? pair.endIndex
            if pair[pair.startIndex..<equals].elementsEqual(name) {
                return equals == pair.endIndex ? ByteBufferView() : pair[pair.index(after: equals)...]
            }
        }
        return nil
    }
}

/// Path rewrites of routes and redirects.
package enum PathRewriter {
    /// Replaces what `matched` matched at the start of `path` (a whole exact path, or a prefix); the query stays.
    package static func replacePrefix(of path: String, matched: RouteMatch.Path, by replacement: String) -> String {
        switch matched {
        case .prefix(let old), .pathSeparatedPrefix(let old): return replacement + path.dropFirst(old.count)
        case .exact: return replacement + path[(path.firstIndex { $0 == "?" || $0 == "#" } ?? path.endIndex)...]
        case .regex, .template, .connect: return path
        }
    }

    /// Applies a pattern to the path of `target`; query and fragment stay, and are not looked at.
    package static func replace(in target: String, with replacement: RegexReplacement) -> String {
        let end = target.firstIndex { $0 == "?" || $0 == "#" } ?? target.endIndex
        return String(decoding: replacement.apply(to: Array(target[..<end].utf8)), as: UTF8.self) + target[end...]
    }
}
