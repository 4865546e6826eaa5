import Foundation
import Subprocess

/// What a finished command printed and returned.
package struct CommandResult: Sendable, CustomStringConvertible {
    package var command: String
    /// The exit status; 128 + N for a command that signal N ended, 124 after a time-out.
    package var status: Int32
    package var out: String
    package var err: String

    package var succeeded: Bool { status == 0 }
    package var all: String { out + err }
    package var description: String { "$ \(command)\n\(out)\(err)(exit status \(status))" }
}

/// Runs a command to its end. `timeout` bounds it, so that a hanging tool fails its test and no more.
package func command(
    _ arguments: [String], environment: [String: String] = [:], input: String = "", timeout: Int = 60
) async throws -> CommandResult {
    var variables = Environment.inherit
    variables = variables.updating(
        Dictionary(uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) }))
    let result = try await Subprocess.run(
        .name("timeout"), arguments: Arguments(["--kill-after=5", String(timeout)] + arguments), environment: variables,
        input: .string(input), output: .string(limit: 32_000_000), error: .string(limit: 8_000_000))
    let status: Int32 =
        switch result.terminationStatus {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
    return CommandResult(
        command: arguments.joined(separator: " "), status: status, out: result.standardOutput,
        err: result.standardError)
}

/// Why an end-to-end step did not get where it should, with what was seen last.
package struct StepFailure: Error, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

/// Repeats `attempt` until it returns a value; the mesh converges, it does not jump.
///
/// The time limit is a bound for hangs and no measurement: it is far above what a quiet machine needs.
@discardableResult
package func eventually<Value: Sendable>(
    _ what: String, within seconds: Int = 60, _ attempt: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now + .seconds(seconds)
    var last = "nothing was seen"
    while true {
        do {
            if let value = try await attempt() { return value }
        } catch {
            last = "\(error)"
        }
        guard ContinuousClock.now < deadline else {
            throw StepFailure("\(what): not within \(seconds) s; last: \(last)")
        }
        try await Task.sleep(for: .milliseconds(200))
    }
}

/// Throws unless the command succeeded, so that a failed step shows what it printed.
extension CommandResult {
    @discardableResult
    package func checked() throws -> CommandResult {
        guard succeeded else { throw StepFailure(description) }
        return self
    }
}
