import Foundation
import TestSupport
import Testing
import WeftCore

/// The editor and the forms of the Configuration page in a real browser. Nothing here may be applied: nobody is signed
/// in; what the API server says is `MeshInBrowserTests` of the end-to-end suite.
@Suite(.serialized, .timeLimit(.minutes(10))) struct EditorInBrowserTests {
    private let area = "document.querySelector('.paper textarea').value"
    private let verdict = "document.querySelector('.editor [role=status]').textContent"

    @Test func findingsNameFieldAndLine() async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("config/VirtualService/shop/cart/edit")
            try await page.wait("the object is sound", until: "\(verdict).includes('changes VirtualService shop/cart')")
            #expect(try await page.text(verdict).contains("nobody is signed in"))
            let text = try await page.text(area)
            #expect(text.hasPrefix("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:"))
            #expect(!text.contains("creationTimestamp"), "the API server's book-keeping is no business of the editor")

            try await page.fill(".paper textarea", text.replacing("weight: 10", with: "weight: -10"))
            let line = try #require(text.components(separatedBy: "\n").firstIndex { $0.contains("weight: 10") }) + 1
            try await page.wait(
                "the weight is refused",
                until: "document.querySelector('.messages .bad')?.textContent.includes('weight')")
            let finding = try await page.text("document.querySelector('.messages .bad').textContent")
            #expect(finding.hasPrefix("line \(line) "), "\(finding)")
            #expect(finding.contains("spec.http[0].route[1].weight"), "\(finding)")
            #expect(try await page.value("document.querySelector('.editor p button').disabled") == true)
            try await page.click(".messages .line")
            let chosen = try await page.text(
                "(() => { const one = document.querySelector('.paper textarea'); return one.value.slice(one.selectionStart, one.selectionEnd); })()"
            )
            #expect(chosen.contains("weight: -10"))

            try await page.fill(".paper textarea", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n")
            try await page.wait("a Secret is refused", until: "\(verdict).includes('1 to correct')")
            try await page.fill(".paper textarea", "a:\n  - b\n c")
            try await page.wait(
                "broken YAML has a line",
                until: "/^line [23] /.test(document.querySelector('.messages .bad')?.textContent)")
            #expect(page.complaints == [])
        }
    }

    /// What no proxy could do is told before it is applied.
    @Test func analysisSpeaksOfTheEditedText() async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("config/VirtualService/shop/cart/edit")
            try await page.wait("the object is there", until: "\(area).includes('subset: v2')")
            try await page.fill(
                ".paper textarea", try await page.text(area).replacing("subset: v2", with: "subset: v9"))
            try await page.wait(
                "the subset is missed", until: "document.querySelector('.messages .poor')?.textContent.includes('v9')")
            #expect(try await page.text("document.querySelector('.messages .poor').textContent").hasPrefix("line "))
        }
    }

    @Test func withoutATokenNothingIsApplied() async throws {
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("config/VirtualService/shop/cart/edit")
            try await page.wait("it may be applied", until: "!document.querySelector('.editor p button').disabled")
            try await page.click(".editor p button")
            try await page.wait(
                "the page asks for a token", until: "document.querySelector('dialog[open] input[type=password]')")
            // A token that nobody checks: the API server of this stage is not there, and the page says so.
            try await page.fill("dialog input", "secret-token")
            _ = try await page.value("document.querySelector('dialog form').requestSubmit()")
            try await page.wait(
                "signed in", until: "document.getElementById('controls').textContent.includes('Sign out')")
            try await page.wait(
                "the API server is asked",
                until: "document.querySelector('.messages .bad')?.textContent.includes('does not answer')")
            let kept = try await page.text(
                "JSON.stringify([localStorage.length, sessionStorage.length, document.cookie, location.href, document.documentElement.outerHTML])"
            )
            #expect(!kept.contains("secret-token") && kept.hasPrefix("[0,0,\"\""), "the token is in memory alone")
        }
    }

    static let forms: [(form: String, changes: [(field: String, value: String)], contains: [String], lacks: [String])] =
        [
            (
                "shift?for=shop/cart", [("weight-v1", "70"), ("weight-v2", "30")],
                ["weight: 70", "weight: 30", "timeout: 2s", "kind: DestinationRule", "- name: v2"], ["weight: 90"]
            ),
            ("route?for=shop/cart", [("value", "ann")], ["end-user:", "exact: ann", "subset: v2", "weight: 90"], []),
            ("fault?for=shop/cart", [("aborted", "20")], ["value: 20", "httpStatus: 503", "fixedDelay: \"5s\""], []),
            (
                "timeout?for=shop/cart", [("timeout", "7s")], ["timeout: \"7s\"", "attempts: 2", "perTryTimeout:"],
                ["timeout: 2s"]
            ),
            (
                "breaker?for=shop/cart", [("connections", "7")],
                ["maxConnections: 7", "consecutive5xxErrors: 5", "kind: DestinationRule", "name: v1"], []
            ),
            (
                "mtls?for=shop", [("mode", "STRICT")], ["kind: PeerAuthentication", "mode: STRICT", "namespace: shop"],
                []
            ),
            (
                "authorization?for=shop", [("app", "cart"), ("namespaces", "edge, shop")],
                ["kind: AuthorizationPolicy", "app: cart", "- edge", "- shop", "- GET", "action: ALLOW"], ["principals"]
            ),
        ]

    /// Each form writes YAML that the checks find sound, and keeps what it does not ask about.
    @Test(arguments: forms.indices) func formsWriteSoundYAML(_ index: Int) async throws {
        let (form, changes, contains, lacks) = Self.forms[index]
        try await StagedBrowser.run(.shop) { page, stage, visit in
            try await visit("config/new/\(form)")
            try await page.wait("the form has a text", until: "\(area).includes('kind:')")
            for (field, value) in changes { try await page.fill("[name='\(field)']", value) }
            let plain = "\(area).replaceAll('\"', '')"
            for one in contains {
                let wanted = JSONValue.string(one.replacing("\"", with: "")).text()
                try await page.wait("\(form) has \(one)", until: "\(plain).includes(\(wanted))")
            }
            try await page.wait("it is sound", until: "\(verdict).startsWith('Sound')")
            let text = try await page.text(area).replacing("\"", with: "")
            for one in lacks { #expect(!text.contains(one.replacing("\"", with: "")), "\(form) has \(one):\n\(text)") }
            #expect(page.complaints == [])
        }
    }

    /// Lines of several logs in the order of time, each once; a line without a time stays where it stood.
    @Test func logLinesAreMergedByTime() async throws {
        try await StagedBrowser.run(.empty) { page, stage, visit in
            try await visit("mesh")
            let merged = try await page.text(
                """
                import('/pages/logs.js').then(({ lines, fresh }) => {
                  const first = lines('2026-01-01T00:00:05.1Z a\\n  more of a\\n2026-01-01T00:00:05.12Z c\\n');
                  const again = lines('2026-01-01T00:00:05.12Z c\\n2026-01-01T00:00:06Z d\\n');
                  const other = lines('2026-01-01T00:00:05.11Z b\\n');
                  return [...first, ...fresh(again, first.at(-1)), ...other].sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
                    .map((line) => line.text).join('|');
                })
                """)
            #expect(merged == "a|  more of a|b|c|d")
        }
    }
}
