import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// `kill -9` of the node in the middle of a burst of writes: what the client was told is what is there afterwards.
    @Suite(.serialized) struct DurabilityTests {
        /// Six writers, each creating and then labelling its own objects, who note only what was acknowledged.
        private static let writer = """
            for writer in 1 2 3 4 5 6; do
              (
                number=0
                while [ ! -e "$NOTES/stop" ]; do
                  number=$((number + 1))
                  name=burst-$writer-$number
                  kubectl create configmap $name --from-literal=a=$number >/dev/null 2>&1 || continue
                  echo $name >> $NOTES/created-$writer
                  kubectl label configmap $name seen=$number >/dev/null 2>&1 || continue
                  echo $name >> $NOTES/labelled-$writer
                done
              ) &
            done
            wait
            """

        @Test func acknowledgedWritesOutliveTheNode() async throws {
            let mesh = LocalMesh(name: "durable", firstPort: 26460)
            try await mesh.weft("down", "--purge")
            try await mesh.weft("up", "--detach", timeout: 180).checked()
            let notes = mesh.home + "/notes"
            try FileManager.default.createDirectory(atPath: notes, withIntermediateDirectories: true)
            var environment = mesh.environment
            environment["NOTES"] = notes
            let variables = environment
            async let burst = command(["bash", "-c", Self.writer], environment: variables, timeout: 120)
            func noted(_ kind: String) -> Set<String> {
                let names = (1...6).compactMap {
                    try? String(contentsOfFile: "\(notes)/\(kind)-\($0)", encoding: .utf8)
                }
                return Set(names.flatMap { $0.split(separator: "\n").map(String.init) })
            }
            try await eventually("the burst is under way") { noted("labelled").count >= 30 ? true : nil }
            let old = try await mesh.kubectl("get", "configmaps", "-o", "jsonpath={.items[0].metadata.resourceVersion}")
                .checked()
            let text = try String(contentsOfFile: mesh.home + "/node.pid", encoding: .utf8)
            let node = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
            kill(node, SIGKILL)
            try Data().write(to: URL(filePath: notes + "/stop"))
            _ = try await burst
            let (created, labelled) = (noted("created"), noted("labelled"))
            try await eventually("the node is gone") { kill(node, 0) == 0 ? nil : true }

            try await mesh.weft("up", "--detach", timeout: 180).checked()
            let listing = try await mesh.kubectl(
                "get", "configmaps", "-o",
                #"jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.seen}{"\n"}{end}"#
            ).checked().out
            var found: [String: String] = [:]
            for line in listing.split(separator: "\n") {
                let words = line.split(separator: " ").map(String.init)
                if let name = words.first { found[name] = words.count > 1 ? words[1] : "" }
            }
            #expect(created.subtracting(found.keys).isEmpty, "lost: \(created.subtracting(found.keys))")
            let unlabelled = labelled.filter { found[$0] != String($0.split(separator: "-").last ?? "") }
            #expect(unlabelled.isEmpty, "lost labels: \(unlabelled)")

            // A watch that begins before the restart is told so; it neither hangs nor skips what it missed.
            let watch = try await mesh.kubectl(
                "get", "--raw",
                "/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=5&resourceVersion=\(old.out)")
            #expect(watch.all.contains("too old resource version"), "\(watch)")
            try await mesh.weft("down", "--purge").checked()
        }
    }
}
