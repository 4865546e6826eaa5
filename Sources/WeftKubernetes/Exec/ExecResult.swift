package import NIOCore
import WeftCore

/// What a command in a container wrote, and how it ended.
package struct ExecResult: Sendable, Hashable {
    package var standardOutput: ByteBuffer
    package var standardError: ByteBuffer
    /// The command's exit code; 0 for success.
    package var exitCode: Int

    package var output: String { String(buffer: standardOutput) }
    package var errorOutput: String { String(buffer: standardError) }
}

/// Gathers the channels of an exec session (the `channel.k8s.io` protocols). Pure: messages in, result out.
struct ExecSession {
    private var output = ByteBuffer()
    private var error = ByteBuffer()
    private var status: JSONValue?

    /// Takes one binary message: a channel number, then the channel's bytes.
    mutating func receive(_ message: ByteBuffer) {
        var message = message
        switch message.readInteger(as: UInt8.self) {
        case 1: output.writeImmutableBuffer(message)
        case 2: error.writeImmutableBuffer(message)
        case 3: status = try? JSONValue(parsing: message.readableBytesView)
        default: break
        }
    }

    /// Whether the server has said how the command ended.
    var isFinished: Bool { status != nil }

    /// The result, once the connection is over.
    ///
    /// - Throws: ``KubernetesError`` when the command could not be started or the connection broke before its end.
    func result() throws -> ExecResult {
        guard let status else {
            throw KubernetesError(
                code: 500, reason: "InternalError", message: "the connection ended before the command's status arrived")
        }
        if status["status"]?.stringValue == "Success" { return result(exitCode: 0) }
        let causes = status[path: "details", "causes"]?.arrayValue ?? []
        guard let code = causes.first(where: { $0["reason"]?.stringValue == "ExitCode" })?["message"]?.stringValue,
            let exitCode = Int(code)
        else { throw KubernetesError(status: status) }
        return result(exitCode: exitCode)
    }

    private func result(exitCode: Int) -> ExecResult {
        ExecResult(standardOutput: output, standardError: error, exitCode: exitCode)
    }
}
