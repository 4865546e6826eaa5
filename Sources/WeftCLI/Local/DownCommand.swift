import ArgumentParser
import Foundation

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
            try await LocalNode(home: home).stop(pid)
            print("The local mesh of \(home.path) has stopped.")
        } else {
            print("No local mesh is running for \(home.path).")
        }
        if purge {
            try? FileManager.default.removeItem(atPath: home.path)
            print("Deleted \(home.path).")
        }
    }
}
