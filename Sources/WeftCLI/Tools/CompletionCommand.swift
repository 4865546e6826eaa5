import ArgumentParser

/// `completion`: a script that teaches the shell this command line.
struct CompletionCommand: ParsableCommand {
    /// The shells that have completions.
    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish
    }

    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print a completion script for bash, zsh or fish.",
        discussion: """
            Example:
              source <(weft completion bash)
            """)

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() throws {
        let kind: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        print(WeftCommand.completionScript(for: kind))
    }
}
