import ArgumentParser
import FoundationEssentials
import Testing
import WeftCore
import WeftIdentity

@testable import WeftCLI

/// What holds for every command, and for every way to print.
@Suite struct CommandTreeTests {
    /// Every command with the words that lead to it.
    private static func commands(
        _ type: any ParsableCommand.Type = WeftCommand.self, _ path: [String] = []
    ) -> [(path: String, configuration: CommandConfiguration)] {
        [(path.joined(separator: " "), type.configuration)]
            + type.configuration.subcommands.flatMap { commands($0, path + [$0.configuration.commandName ?? "?"]) }
    }

    @Test func everyCommandHasHelpWithAnExample() {
        let all = Self.commands()
        #expect(all.count > 20)
        for (path, configuration) in all {
            #expect(!configuration.abstract.isEmpty, "\(path) says nothing about itself")
            let words = path.split(separator: " ").last.map(String.init) ?? "weft"
            let example = configuration.discussion.components(separatedBy: "Example").dropFirst().joined()
            #expect(example.contains("weft ") && example.contains(words), "\(path) has no example of itself")
        }
    }

    @Test func outputFormats() {
        let table = Table(["RESOURCE NAME", "STATUS"], rows: [["default", "ACTIVE"]])
        #expect(table.json == [["resourceName": "default", "status": "ACTIVE"]])
        let view = ProxyView(table, raw: [["name": "default"]])
        #expect(view.text(.yaml) == "- name: default")
        #expect(view.text(.json).hasPrefix("["))
        #expect(view.text(.table) == table.text)
        #expect(ProxyView(Table(["A"]), raw: []).text(.table).hasPrefix("Nothing matches"))
        #expect(ProxyView([], raw: ["a": 1]).text(.short).contains("\"a\""))
    }

    /// As Envoy (bytes) and weft-proxy (text) print them.
    @Test(arguments: [true, false])
    func secretsShowTheirCertificates(_ asBytes: Bool) throws {
        let root = try CertificateSigner(selfSignedRoot: "weft", commonName: "root", validFor: 3_600)
        let issued = try root.issue(.serving(dnsNames: ["a"]), validFor: 600)
        func source(_ pem: String) -> JSONValue {
            asBytes
                ? ["inline_bytes": .string(Data(pem.utf8).base64EncodedString())] : ["inline_string": .string(pem)]
        }
        let dump = ProxyDump(json: [
            "configs": [
                [
                    "@type": "type.googleapis.com/envoy.admin.v3.SecretsConfigDump",
                    "dynamic_active_secrets": [
                        [
                            "name": "default",
                            "secret": ["tls_certificate": ["certificate_chain": source(issued.chainPEM)]],
                        ],
                        [
                            "name": "ROOTCA",
                            "secret": ["validation_context": ["trusted_ca": source(try root.certificatePEM())]],
                        ],
                    ],
                ]
            ]
        ])
        let leaf = try #require(CertificateInfo.all(inPEM: issued.chainPEM).first)
        let table = ProxyTables.secrets(dump)
        #expect(table.rows[0].prefix(5) == ["default", "Cert Chain", "ACTIVE", "true", leaf.serialNumber])
        #expect(table.rows[1].prefix(4) == ["ROOTCA", "CA", "ACTIVE", "true"])
        let later = ProxyTables.secrets(dump, now: leaf.notAfter.addingTimeInterval(1))
        #expect(later.rows.map { $0[3] } == ["false", "true"])
    }

    @Test func nothingToSendIsNoFault() {
        func state(_ status: String, _ count: JSONValue) -> String? {
            ProxySync(["status": ["RDS": .string(status)], "resources": ["RDS": count]], istiod: "i").states["rds"]
        }
        #expect(state("NOT SENT", 0) == "IGNORED")
        #expect(state("STALE", 0) == "IGNORED")
        #expect(state("STALE", 3) == "STALE")
        #expect(state("NOT SENT", 3) == "NOT SENT")
        #expect(state("REJECTED", 0) == "REJECTED")
    }

    @Test func interruptsEndOnlyTheirRace() async throws {
        let interrupts = Interrupts()
        #expect(try await interrupts.race {})
        #expect(try await interrupts.race { try await Task.sleep(for: .milliseconds(1)) }, "no signal came")
        await #expect(throws: CommandFailure.self) { try await interrupts.race { throw CommandFailure("no") } }
    }
}
