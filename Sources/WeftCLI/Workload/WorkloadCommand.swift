import ArgumentParser

/// `experimental workload`: machines outside of Kubernetes.
struct WorkloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workload", abstract: "Bring machines outside of Kubernetes into the mesh.",
        discussion: """
            Examples:
              weft x workload group create --name vm --namespace dev --labels app=vm --serviceAccount vm > group.yaml
              weft x workload entry configure -f group.yaml --output vm-files --autoregister --ingressIP 192.0.2.10
            """, subcommands: [Group.self, Entry.self])

    /// `workload group`.
    struct Group: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "group", abstract: "What the machines of one kind have in common (WorkloadGroup).",
            discussion: "Example:\n  weft x workload group create --name vm --namespace dev",
            subcommands: [GroupCreateCommand.self])
    }

    /// `workload entry`.
    struct Entry: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "entry", abstract: "One machine.",
            discussion: "Example:\n  weft x workload entry configure -f group.yaml --output vm-files",
            subcommands: [EntryConfigureCommand.self])
    }
}
