import ArgumentParser
import Testing
import WeftConfig
import WeftCore
import WeftManifests

@testable import WeftCLI

@Suite struct WaitTests {
    @Test(arguments: [
        (["virtualservice", "reviews.bookinfo"], "virtualservice", "reviews", "bookinfo"),
        (["vs/reviews"], "vs", "reviews", nil), (["Gateway", "front"], "gateway", "front", nil),
    ])
    func namesOneObject(_ words: [String], _ kind: String, _ name: String, _ namespace: String?) throws {
        let target = try WaitTarget(words)
        #expect(target.kind == kind)
        #expect(target.name == name)
        #expect(target.namespace == namespace)
    }

    @Test(arguments: [[], ["virtualservice"], ["a", "b", "c"], ["/x"]])
    func anythingElseIsExplained(_ words: [String]) {
        #expect(throws: ValidationError.self) { try WaitTarget(words) }
    }

    /// Every kind that has a status can be waited for, by the short names that kubectl takes.
    @Test func shortNamesAreTheDefinitions() throws {
        var defined: [String: String] = [:]
        for definition in CustomResourceDefinitions.all {
            for short in definition.json[path: "spec", "names", "shortNames"]?.arrayValue ?? [] {
                defined[try #require(short.stringValue)] = definition.name
            }
        }
        #expect(defined.count >= 15)
        #expect(WaitTarget.shortNames == defined)
    }

    @Test func bothPlacesTakeIstioctlsWords() throws {
        for path in [["wait"], ["experimental", "wait"], ["x", "wait"]] {
            let command = try WeftCommand.parseAsRoot(
                path + ["--for=distribution", "virtualservice", "a.dev", "--timeout", "1m"])
            let wait = try #require(command as? WaitCommand)
            #expect(wait.target == ["virtualservice", "a.dev"])
        }
        #expect(throws: (any Error).self) { try WeftCommand.parseAsRoot(["wait", "--for=ready", "vs", "a"]) }
        #expect(throws: (any Error).self) { try WeftCommand.parseAsRoot(["wait", "--timeout=soon", "vs", "a"]) }
    }
}
