import ArgumentParser
import Foundation
import Glibc

/// `weft down`: stops the local mesh. Objects stay in the home and come back with `weft up`.
struct DownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Stop the local mesh; its objects are kept for the next 'weft up'.",
        discussion: """
            Example:
              weft down            # stop
              weft down --purge    # stop and delete everything under $WEFT_HOME
            """)

    @Flag(help: "Also delete the home folder with all objects, keys and logs.")
    var purge = false

    func run() async throws {
        let home = LocalHome.current()
        if let pid = home.runningNode {
            try await stop(pid)
            print("The local mesh of \(home.path) has stopped.")
        } else {
            print("No local mesh is running for \(home.path).")
        }
        if purge {
            try? FileManager.default.removeItem(atPath: home.path)
            print("Deleted \(home.path).")
        }
    }

    private func stop(_ pid: Int32) async throws {
        kill(pid, SIGTERM)
        // Pods have up to their grace period; the node itself cuts that short when it goes down.
        for _ in 0..<300 {
            if kill(pid, 0) != 0 { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        print("weft-node (pid \(pid)) did not stop within 30 s; killing it.")
        kill(pid, SIGKILL)
        while kill(pid, 0) == 0 { try await Task.sleep(for: .milliseconds(50)) }
    }
}
