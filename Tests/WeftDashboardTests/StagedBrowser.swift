import TestSupport
import WeftCore

/// A page of a browser in front of a ``Stage``, both for one test alone.
enum StagedBrowser {
    typealias Visit = (_ path: String) async throws -> Void

    /// True when a page has shown what it read.
    static let settled = "document.querySelector('main')?.getAttribute('aria-busy') === 'false'"

    /// - Parameter body: gets `visit`, which opens a page by what stands behind `#/` and waits until it has shown what
    ///   it read.
    static func run(
        _ mesh: SyntheticMesh, tools: Stage? = nil, _ body: (BrowserPage, Stage, Visit) async throws -> Void
    ) async throws {
        let stage = try Stage(mesh, tools: tools)
        do {
            try await stage.start()
            let browser = try Browser(name: "pages")
            defer { browser.stop() }
            let page = try await browser.page()
            try await body(page, stage) { path in
                _ = try await page.value("document.querySelector('main')?.setAttribute('aria-busy', 'left')")
                try await page.open("\(stage.address)#/\(path)")
                try await page.wait("\(path) has read its numbers", until: settled)
            }
        } catch {
            await stage.end()
            throw error
        }
        await stage.end()
    }
}
