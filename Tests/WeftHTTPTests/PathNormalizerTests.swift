import NIOCore
import Testing
import WeftHTTP

@Suite struct PathNormalizerTests {
    private func apply(_ normalizer: PathNormalizer, _ path: String) -> String {
        switch normalizer.apply(ByteBuffer(string: path)) {
        case .unchanged: "="
        case .changed(let buffer): String(buffer: buffer)
        case .redirect(let buffer): "307 " + String(buffer: buffer)
        case .reject: "400"
        }
    }

    @Test(arguments: [
        ("/a/b", "="), ("/", "="), ("*", "="), ("/a?x=/../b", "="), ("/a/../b", "/b"), ("/a/./b", "/a/b"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"), ("/..", "/"), ("/../x", "/x"), ("/a/../../../x", "/x"), ("/static/../other", "/other"),
        ("/static/%2e%2E/other", "/other"), ("/static/.%2e/other?q=%2e", "/other?q=%2e"), ("/a\\..\\b", "/b"),
        ("/%61dmin", "/admin"), ("/a%2fb", "="), ("/a%2Fb", "="), ("/a%zz", "="), ("/a%2", "="), ("/a%", "="),
        ("//a", "="),
        ("/a//../b", "/a/b"), ("/...", "="), ("/a%252e", "="), ("/%7euser", "/~user"), ("/a%3Fb", "="),
    ])
    func normalised(path: String, expected: String) {
        #expect(apply(PathNormalizer(), path) == expected)
    }

    @Test func normalisingTwiceChangesNothingMore() {
        for path in ["/a/../../b", "/%2e%2e/x", "/a/./b/..", "/a\\b", "/a//../b", "/%61/../%62"] {
            let once = apply(PathNormalizer(mergeSlashes: true), path)
            #expect(apply(PathNormalizer(mergeSlashes: true), once) == "=", "\(path) became \(once)")
        }
    }

    @Test func slashes() {
        #expect(apply(PathNormalizer(mergeSlashes: true), "//a///b/?x=//") == "/a/b/?x=//")
        #expect(apply(PathNormalizer(escapedSlashes: .reject), "/a%2fb") == "400")
        #expect(apply(PathNormalizer(escapedSlashes: .reject), "/a%5Cb") == "400")
        #expect(apply(PathNormalizer(escapedSlashes: .reject), "/a?x=%2f") == "=")
        #expect(apply(PathNormalizer(escapedSlashes: .unescape), "/a%2f..%5Cb") == "/b")
        #expect(apply(PathNormalizer(escapedSlashes: .unescapeAndRedirect), "/a%2Fb") == "307 /a/b")
        #expect(apply(PathNormalizer(normalize: false), "/a/../b") == "=")
    }
}
