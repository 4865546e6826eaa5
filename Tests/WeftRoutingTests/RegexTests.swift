import Testing
import WeftCore

@Suite struct RegexTests {
    @Test(arguments: [
        ("abc", "abc", true), ("abc", "abcd", false), ("abc", "xabc", false), ("a.c", "a\nc", false),
        ("(?s)a.c", "a\nc", true),
        ("a*", "", true), ("a+", "", false), ("a?b", "b", true), ("a{2,3}", "a", false), ("a{2,3}", "aaa", true),
        ("a{2,3}", "aaaa", false), ("a{2,}", "aaaaa", true), ("a{2}", "aaa", false), ("a|bc", "bc", true),
        ("(a|b)+c", "ababc", true),
        ("/v[0-9]+/.*", "/v12/x", true), ("/v[^0-9]/", "/v1/", false), ("[]a]+", "]a", true), ("[a-]+", "-a", true),
        ("(?i)AbC", "aBc", true), ("(?:ab)*", "abab", true), ("(?P<n>a)b", "ab", true), ("^a$", "a", true),
        ("\\d+\\w\\s", "12_ ", true),
        ("\\D", "1", false), (".*\\bcat\\b.*", "a cat!", true), (".*\\bcat\\b.*", "concat", false),
        ("\\bcat", "cat", true),
        (".*\\Bcat", "concat", true), ("\\Bcat", "cat", false), ("[[:alpha:]]+", "abZ", true),
        ("[[:alpha:]]+", "ab1", false),
        ("[[:digit:]_-]+", "1_-2", true), ("[[:^digit:]]+", "ab", true), ("[[:^digit:]]+", "a1", false),
        ("[[:xdigit:]]+", "fF09", true),
        ("[\\d.]+", "1.2", true), ("[\\x41-\\x43]+", "ABC", true), ("a\\.b", "axb", false), ("a{,2}", "a{,2}", true),
        ("", "", true),
        // A character is a byte, as for Envoy's RE2.
        (".", "ü", false), (".{2}", "ü", true), ("ü+", "ü", true), ("[ü]{2}", "ü", true), ("[^a]{2}", "ü", true),
        ("(?i)Ü", "ü", false), ("\\xc3\\x{bc}", "ü", true), ("\\C\\C", "ü", true), ("[\\xc0-\\xff].", "ü", true),
        ("\\pL+", "abC", true), ("\\pL", "1", false), ("\\PL", "1", true), ("\\p{Lu}", "A", true),
        ("\\p{Lu}", "a", false),
        ("(?i)\\p{Lu}", "a", true), ("\\p{Greek}*", "α", false), ("\\P{Greek}{2}", "α", true),
        ("\\p{^Greek}{2}", "α", true), ("\\p{Latin}.", "ü", true), ("\\p{Latin}", "1", false),
        ("[\\pN_]+", "1_2", true),
        ("[^\\pL]+", "12", true), ("\\p{Any}", "-", true), ("\\pZ", " ", true), ("\\p{Common}", "1", true),
        ("\\101", "A", true), ("\\07", "\u{7}", true), ("\\Qa.b*\\E+", "a.b**", true), ("\\Qa.b", "axb", false),
        ("\\a", "\u{7}", true), ("(?m)a$\\n^b", "a\nb", true), ("a$\\n^b", "a\nb", false), ("(?s).+", "a\n", true),
    ])
    func fullMatches(pattern: String, text: String, expected: Bool) throws {
        #expect(try Regex(pattern).matches(text.utf8) == expected)
    }

    @Test(arguments: [
        "(", ")", "a)", "[", "[a", "*", "a|*", "(?x)a", "\\", "[b-a]", "a{3,2}", "a{9999}", "\\p{Nope}", "[[:nope:]]",
        "\\1", "(?=a)", "a**", "a+*", "a{2}{3}", "\\p", "\\p{L", "\\x{100}", "\\xZZ", "\\777", "\\y",
    ])
    func refused(pattern: String) {
        #expect(throws: RegexError.self) { try Regex(pattern) }
    }

    @Test(arguments: [
        ("^/users/([^/]+)/orders/([0-9]+)$", #"/orders/\2/of/\1"#, "/users/ann/orders/7", "/orders/7/of/ann"),
        ("a", "b", "banana", "bbnbnb"), ("(a)(b)?", #"<\1\2>"#, "aba", "<ab><a>"), ("x*", "-", "abc", "-a-b-c-"),
        ("b*", "-", "abc", "-a-c-"), (".*", "all", "/abc", "all"), ("nope", "x", "/abc", "/abc"),
        ("(?P<n>o+)", #"[\0]"#, "foo boo", "f[oo] b[oo]"), ("a+?", "x", "aaa", "xxx"), ("(?U)a+", "x", "aaa", "xxx"),
        ("(/.*?)/(.*)", #"\2\1"#, "/a/b/c", "b/c/a"), ("(/.*)/(.*)", #"\2\1"#, "/a/b/c", "c/a/b"),
        ("a|ab", "x", "ab", "xb"), ("(?:^|/)v1", "/v2", "/v1/v1", "/v2/v2"), ("\\bapi\\b", "x", "/api/apis", "/x/apis"),
        ("/", #"\\"#, "a/b", #"a\b"#), ("(?i:A)b", "x", "ab aB", "x aB"),
        ("\\pL+", "L", "1ab2", "1L2"),
    ])
    func replacements(pattern: String, substitution: String, text: String, expected: String) throws {
        let replacement = try RegexReplacement(pattern, substitution: substitution)
        #expect(String(decoding: replacement.apply(to: Array(text.utf8)), as: UTF8.self) == expected)
    }

    @Test(arguments: [("(a", "b"), ("a", #"\1"#), ("(a)", #"\2"#), ("a", #"b\"#), ("a", #"\x"#)])
    func refusedReplacements(pattern: String, substitution: String) {
        #expect(throws: RegexError.self) { try RegexReplacement(pattern, substitution: substitution) }
    }

    @Test func patternsThatExplodeUnderBacktrackingStayQuick() throws {
        let text = String(repeating: "a", count: 20_000) + "b"
        let clock = ContinuousClock()
        for pattern in ["(a*)*", "(a|a)*", "(a+)+", "(a|aa)+"] {
            let regex = try Regex(pattern)
            let time = clock.measure { #expect(!regex.matches(text.utf8)) }
            #expect(time < .seconds(5), "\(pattern)")
        }
    }

    @Test func anOversizedProgramIsRefused() {
        #expect(throws: RegexError.self) { try Regex("((a{100}){100}){100}") }
    }
}
