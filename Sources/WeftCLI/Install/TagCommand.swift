import ArgumentParser
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftManifests

/// `tag`: names that namespaces choose in place of a revision, so that an upgrade moves a name and not every label.
struct TagCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag", abstract: "Names for revisions of the control plane.",
        discussion: """
            Namespaces with the label istio.io/rev=TAG get the sidecars of the revision that the tag stands for.
            Examples:
              weft tag set prod --revision canary -y
              weft tag list
            """, subcommands: [Set.self, Generate.self, List.self, Remove.self])

    /// What every subcommand does with the cluster.
    struct Tags {
        let client: KubernetesClient
        let namespace: String

        static let label = "istio.io/tag"

        /// The configuration that makes a tag.
        static func object(_ tag: String, revision: String, namespace: String) -> KubernetesObject {
            var settings = InstallSettings()
            settings.namespace = namespace
            settings.revision = revision
            return MeshInstallation(settings).tag(tag)
        }

        func all() async throws -> [KubernetesObject] {
            try await client.list(.mutatingWebhookConfigurations, options: ListOptions(labelSelector: Self.label)).items
        }

        func revision(of tag: String) async throws -> String? {
            try await all().first { $0.labels[Self.label] == tag }?.labels["istio.io/rev"]
        }

        /// Injectors that an installation made, by the revision they are of.
        func injectors() async throws -> [String: KubernetesObject] {
            let found = try await client.list(.mutatingWebhookConfigurations).items.filter {
                $0.labels[Self.label] == nil && $0.name.hasPrefix("istio-sidecar-injector")
            }
            return Dictionary(found.map { ($0.labels["istio.io/rev"] ?? "default", $0) }) { first, _ in first }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Make a tag stand for a revision.",
            discussion: "Example:\n  weft tag set prod --revision canary --overwrite -y")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "The tag; 'default' is what istio-injection=enabled chooses.")
        var tag: String
        @Option(name: [.short, .long], help: "The revision that it is to stand for.")
        var revision: String
        @Flag(help: "Take the tag away from another revision.")
        var overwrite = false
        @Flag(name: [.customShort("y"), .customLong("skip-confirmation")], help: "Do not ask.")
        var yes = false

        func run() async throws {
            try await global.withClient { client in
                let tags = Tags(client: client, namespace: global.istioNamespace)
                let injectors = try await tags.injectors()
                guard injectors[revision] != nil else {
                    let known = injectors.keys.sorted().joined(separator: ", ")
                    throw CommandFailure(
                        "revision \(revision) is not installed (there is \(known.isEmpty ? "none" : known)); "
                            + "'\(WeftCommand.invokedName) install --revision \(revision)' installs it.")
                }
                guard injectors[tag] == nil else {
                    throw CommandFailure(
                        "\(tag) is a revision of its own, whose namespaces would get two sidecars; choose another name."
                    )
                }
                if let present = try await tags.revision(of: tag), present != revision, !overwrite {
                    throw CommandFailure("tag \(tag) stands for revision \(present); give --overwrite to move it.")
                }
                if !yes { try confirm("Tag \(tag) will stand for revision \(revision). Proceed?") }
                let object = Tags.object(tag, revision: revision, namespace: tags.namespace)
                _ = try await client.apply(.mutatingWebhookConfigurations, object, fieldManager: "weft")
                let choice = tag == "default" ? "istio-injection=enabled" : "istio.io/rev=\(tag)"
                print(
                    "Tag \(tag) stands for revision \(revision). Namespaces choose it by the label \(choice); pods that run "
                        + "already keep their sidecar until they are restarted (kubectl rollout restart).")
            }
        }
    }

    struct Generate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "generate", abstract: "Print the configuration of a tag without applying it.",
            discussion: "Example:\n  weft tag generate prod --revision canary")
        @OptionGroup var global: GlobalOptions
        @Argument(help: "The tag.") var tag: String
        @Option(name: [.short, .long], help: "The revision that it is to stand for.") var revision: String

        func run() async throws {
            let object = Tags.object(tag, revision: revision, namespace: global.istioNamespace)
            print(YAMLWriter.text(object.json), terminator: "")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Show tags, their revisions and who chooses them.",
            discussion: "Example:\n  weft tag list",
            aliases: ["ls"])
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            try await global.withClient { client in
                let tags = try await Tags(client: client, namespace: global.istioNamespace).all()
                let namespaces = try await client.list(.namespaces).items
                guard !tags.isEmpty else { return print("No tags found") }
                var table = Table(["TAG", "REVISION", "NAMESPACES"])
                for object in tags.sorted(by: { $0.name < $1.name }) {
                    let tag = object.labels[Tags.label] ?? ""
                    let users = namespaces.filter { space in
                        if let choice = space.labels["istio-injection"] {
                            return tag == "default" && choice == "enabled"
                        }
                        return space.labels["istio.io/rev"] == tag
                    }
                    table.rows.append(
                        [
                            tag, object.labels["istio.io/rev"] ?? "",
                            users.map(\.name).sorted().joined(separator: ","),
                        ])
                }
                print(table.text)
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Remove a tag.", discussion: "Example:\n  weft tag remove prod -y",
            aliases: ["delete"])
        @OptionGroup var global: GlobalOptions
        @Argument(help: "The tag.") var tag: String
        @Flag(name: [.customShort("y"), .customLong("skip-confirmation")], help: "Do not ask.")
        var yes = false

        func run() async throws {
            try await global.withClient { client in
                let tags = Tags(client: client, namespace: global.istioNamespace)
                guard let object = try await tags.all().first(where: { $0.labels[Tags.label] == tag }) else {
                    throw CommandFailure("there is no tag \(tag); see '\(WeftCommand.invokedName) tag list'.")
                }
                let users = try await client.list(
                    .namespaces, options: ListOptions(labelSelector: "istio.io/rev=\(tag)")
                ).items.map(\.name)
                if !yes {
                    let note = users.isEmpty ? "" : " New pods of \(users.joined(separator: ", ")) get no sidecar then."
                    try confirm("This removes tag \(tag).\(note) Proceed?")
                }
                try await client.delete(.mutatingWebhookConfigurations, namespace: nil, name: object.name)
                print("Tag \(tag) removed")
            }
        }
    }
}
