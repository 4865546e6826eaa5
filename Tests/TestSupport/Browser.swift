import Foundation
import Synchronization
package import WeftCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A headless Chromium, driven by the DevTools protocol over a pair of pipes: no port, no WebSocket, no library.
///
/// Messages are JSON objects, each ended by a zero byte (Chromium's `--remote-debugging-pipe`: it reads from descriptor
/// 3 and writes to 4). Thread-safe; ended by ``stop()`` or with the test process.
package final class Browser: Sendable {
    private struct State {
        var last: Int64 = 0
        var waiting: [Int64: CheckedContinuation<JSONValue, any Error>] = [:]
        var events: [(session: String, method: String, parameters: JSONValue)] = []
        var hasEnded = false
    }
    private let state = Mutex(State())
    private let process: Int32
    private let writing: Int32
    private let profile: String

    /// Starts Debian's `chromium`, which `dev/setup --tests` installs.
    package init(name: String) throws {
        let executables = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        guard let executable = executables.first(where: { access($0, X_OK) == 0 }) else {
            throw StepFailure("no Chromium: run dev/setup --tests")
        }
        // Tests run side by side, each with a profile of its own.
        profile = try Workspace.folder("browser-\(name)-\(UUID().uuidString)")
        let (commands, answers) = (try Self.pipe(), try Self.pipe())
        process = try ServerProcess.spawn(
            executable,
            [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--hide-scrollbars", "--disable-background-networking", "--disable-component-update",
                "--disable-renderer-backgrounding", "--disable-background-timer-throttling", "--window-size=1500,900",
                "--remote-debugging-pipe", "--user-data-dir=\(profile)",
            ], log: profile + "/log", passing: [commands.reading, answers.writing])
        close(commands.reading)
        close(answers.writing)
        writing = commands.writing
        let thread = Thread { [weak self] in Self.read(answers.reading) { self?.take($0) } }
        thread.start()
    }

    deinit { stop() }

    /// Ends the browser with all its pages.
    package func stop() {
        let isFirst = state.withLock { state in
            defer { state.hasEnded = true }
            return !state.hasEnded
        }
        guard isFirst else { return }
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
        ProcessEnd.forget(process)
        close(writing)
        try? FileManager.default.removeItem(atPath: profile)
    }

    /// Opens an empty page of its own session.
    package func page() async throws -> BrowserPage {
        let target = try await call("Target.createTarget", ["url": "about:blank"])
        let attached = try await call(
            "Target.attachToTarget", ["targetId": target["targetId"] ?? .null, "flatten": true])
        let page = BrowserPage(browser: self, session: attached["sessionId"]?.stringValue ?? "")
        for domain in ["Page", "Runtime", "Log"] { _ = try await page.call("\(domain).enable") }
        return page
    }

    // MARK: - Protocol

    /// Sends a command and waits for its answer.
    func call(_ method: String, _ parameters: JSONValue = [:], session: String? = nil) async throws -> JSONValue {
        let answer: JSONValue = try await withCheckedThrowingContinuation { continuation in
            let number: Int64? = state.withLock { state in
                guard !state.hasEnded else { return nil }
                state.last += 1
                state.waiting[state.last] = continuation
                return state.last
            }
            guard let number else { return continuation.resume(throwing: StepFailure("\(method): no browser")) }
            var message: JSONValue = ["id": .int(number), "method": .string(method), "params": parameters]
            if let session { message["sessionId"] = .string(session) }
            send(message.serialized() + [0])
        }
        if let error = answer["error"] { throw StepFailure("\(method): \(error)") }
        return answer["result"] ?? [:]
    }

    /// What the browser told by itself, of one page.
    func events(of session: String) -> [(method: String, parameters: JSONValue)] {
        state.withLock { $0.events.filter { $0.session == session }.map { ($0.method, $0.parameters) } }
    }

    func forgetEvents(of session: String) { state.withLock { $0.events.removeAll { $0.session == session } } }

    private func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(writing, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// A message, or `nil` at the end.
    private func take(_ bytes: ArraySlice<UInt8>?) {
        guard let bytes else {
            let waiting = state.withLock { state in
                defer { state.waiting = [:] }
                return state.waiting
            }
            for one in waiting.values { one.resume(throwing: StepFailure("the browser ended")) }
            return
        }
        guard let message = try? JSONValue(parsing: bytes) else { return }
        if let number = message["id"]?.intValue {
            state.withLock { $0.waiting.removeValue(forKey: Int64(number)) }?.resume(returning: message)
            return
        }
        guard let method = message["method"]?.stringValue, let session = message["sessionId"]?.stringValue else {
            return
        }
        state.withLock { $0.events.append((session, method, message["params"] ?? [:])) }
        // A dialog holds the page until somebody answers.
        if method == "Page.javascriptDialogOpening" {
            send(
                JSONValue.object([
                    "id": 0, "method": "Page.handleJavaScriptDialog", "params": ["accept": false],
                    "sessionId": .string(session),
                ]).serialized() + [0])
        }
    }

    private static func read(_ descriptor: Int32, _ take: (ArraySlice<UInt8>?) -> Void) {
        var pending: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            var start = 0
            for index in 0..<count where chunk[index] == 0 {
                pending += chunk[start..<index]
                take(pending[...])
                pending.removeAll(keepingCapacity: true)
                start = index + 1
            }
            pending += chunk[start..<count]
        }
        close(descriptor)
        take(nil)
    }

    // MARK: - Process

    /// A pipe whose ends lie above the descriptors that the browser gets, and stay in this process.
    private static func pipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { throw StepFailure("pipe: \(String(cString: strerror(errno)))") }
        let high = ends.map { fcntl($0, F_DUPFD_CLOEXEC, 200) }
        ends.forEach { close($0) }
        return (high[0], high[1])
    }
}

/// One page of a ``Browser``.
package struct BrowserPage: Sendable {
    let browser: Browser
    let session: String

    func call(_ method: String, _ parameters: JSONValue = [:]) async throws -> JSONValue {
        try await browser.call(method, parameters, session: session)
    }

    /// Goes to an address. A change behind `#` alone does not load the page again.
    package func open(_ address: String) async throws {
        let answer = try await call("Page.navigate", ["url": .string(address)])
        if let error = answer["errorText"] { throw StepFailure("\(address): \(error)") }
    }

    /// The value of an expression in the page; promises are waited for.
    package func value(_ expression: String) async throws -> JSONValue {
        let answer = try await call(
            "Runtime.evaluate",
            ["expression": .string(expression), "awaitPromise": true, "returnByValue": true, "userGesture": true])
        if let exception = answer["exceptionDetails"] { throw StepFailure("\(expression): \(exception)") }
        return answer[path: "result", "value"] ?? .null
    }

    package func text(_ expression: String) async throws -> String { try await value(expression).stringValue ?? "" }

    /// Waits until an expression is true; the failure tells what the page shows then.
    package func wait(_ what: String, within seconds: Int = 60, until expression: String) async throws {
        do {
            try await eventually(what, within: seconds) {
                try await value("!!(\(expression))") == .bool(true) ? true : nil
            }
        } catch {
            let shown = (try? await text("document.body ? document.body.innerText.slice(0, 1500) : ''")) ?? ""
            throw StepFailure("\(error)\nthe page shows: \(shown)\nconsole: \(complaints)")
        }
    }

    /// Sets the value of a field and tells the page, as a person who types does.
    package func fill(_ selector: String, _ text: String) async throws {
        let field = "document.querySelector(\(JSONValue.string(selector).text()))"
        _ = try await value(
            """
            (() => { const field = \(field); field.value = \(JSONValue.string(text).text()); \
            for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, { bubbles: true })); })()
            """)
    }

    package func click(_ selector: String) async throws {
        _ = try await value("document.querySelector(\(JSONValue.string(selector).text())).click()")
    }

    /// Presses a key where the focus is: `Tab`, `Enter`, `Escape`, `ArrowLeft`.
    package func press(_ key: String) async throws {
        let codes = [
            "Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
        ]
        var event: JSONValue = [
            "key": .string(key), "code": .string(key), "windowsVirtualKeyCode": .int(Int64(codes[key] ?? 0)),
        ]
        if key == "Enter" { event["text"] = "\r" }
        for type in ["keyDown", "keyUp"] {
            event["type"] = .string(type)
            _ = try await call("Input.dispatchKeyEvent", event)
        }
    }

    /// Light or dark, as the person's system says.
    package func prefer(dark: Bool) async throws {
        _ = try await call(
            "Emulation.setEmulatedMedia",
            ["features": [["name": "prefers-color-scheme", "value": .string(dark ? "dark" : "light")]]])
    }

    /// What went wrong in the page: errors and warnings on the console, exceptions that nobody caught, violations of the
    /// content security policy, requests that failed, dialogs.
    package var complaints: [String] {
        browser.events(of: session).compactMap { method, parameters in
            switch method {
            case "Runtime.exceptionThrown": "exception: \(parameters[path: "exceptionDetails"] ?? .null)"
            case "Runtime.consoleAPICalled":
                ["error", "warning", "assert"].contains(parameters["type"]?.stringValue ?? "")
                    ? "console: \(parameters["args"] ?? .null)" : nil
            case "Log.entryAdded":
                ["error", "warning"].contains(parameters[path: "entry", "level"]?.stringValue ?? "")
                    ? "\(parameters[path: "entry", "source"]?.stringValue ?? ""): \(parameters["entry"] ?? .null)" : nil
            case "Page.javascriptDialogOpening": "dialog: \(parameters["message"] ?? .null)"
            default: nil
            }
        }
    }

    package func forgetComplaints() { browser.forgetEvents(of: session) }
}
