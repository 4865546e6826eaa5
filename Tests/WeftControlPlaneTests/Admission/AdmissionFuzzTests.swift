import CAllocationCounter
import FoundationEssentials
import Testing
import WeftAnalysis
import WeftConfig
import WeftCore
import WeftInject
import WeftTranslate

@testable import WeftControlPlane

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Changes documents at random, the same way for the same seed.
struct DocumentMutator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
    mutating func below(_ end: Int) -> Int { end <= 0 ? 0 : Int(next() % UInt64(end)) }

    /// Values that break careless code.
    private mutating func odd() -> JSONValue {
        let long = String(repeating: "a*({[.", count: 400)
        let all: [JSONValue] = [
            .null, true, 0, -1, 65_536, .int(.max), .int(.min), .double(.infinity), .double(1e300), "", "*", "{**}{*}",
            "~", "..", "a/b/c/d", "[::1]:99999", "1.2.3.4/99", "::/129", "9223372036854775808s", "1e99h", "\u{0}",
            "\u{301}\u{1F600}", "(((((a*)*)*)*)*)*b", "[[[[", "{{{{", .string(long), [], [.null, [], [:]], [:],
            ["": ""], .object(["a.b/c": [1]]), nested(60),
        ]
        return all[below(all.count)]
    }

    private func nested(_ depth: Int) -> JSONValue {
        (0..<depth).reduce(JSONValue.string("x")) { value, index in index.isMultiple(of: 2) ? [value] : ["k": value] }
    }

    /// One change somewhere in the tree.
    mutating func change(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(var members) where !members.isEmpty && below(8) != 0:
            let keys = members.keys.sorted()
            let key = keys[below(keys.count)]
            switch below(12) {
            case 0: members[key] = nil
            case 1: members[key] = odd()
            case 2: members["x\(below(3))"] = odd()
            case 3: members[keys[below(keys.count)]] = members[key]
            default: members[key] = change(members[key] ?? .null)
            }
            return .object(members)
        case .array(var elements) where !elements.isEmpty && below(8) != 0:
            let index = below(elements.count)
            switch below(8) {
            case 0: elements.remove(at: index)
            case 1: elements.append(elements[index])
            case 2: elements[index] = odd()
            case 3 where elements.count < 300: elements += Array(repeating: elements[index], count: 40)
            default: elements[index] = change(elements[index])
            }
            return .array(elements)
        default: return odd()
        }
    }

    /// A few bytes of the text.
    mutating func change(_ text: String) -> String {
        var bytes = Array(text.utf8)
        for _ in 0...below(3) where !bytes.isEmpty {
            let place = below(bytes.count)
            switch below(4) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: next())
            case 1: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(12)))
            case 2: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + below(40))], at: place)
            default:
                bytes.insert(
                    contentsOf: Array(["\t", "- ", "{", "&a ", "*a", "!!x ", "'", ": "][below(8)].utf8), at: place)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Random mutations of valid objects through admission: it must always answer, and what it takes must translate.
///
/// `WEFT_FUZZ_COUNT` makes more of them, `WEFT_FUZZ_SEED` others.
@Suite struct AdmissionFuzzTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let count = environment["WEFT_FUZZ_COUNT"].flatMap { Int($0) } ?? 250
    private static let seed = environment["WEFT_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1

    /// What an answer may cost. The product's bound is 100 ms in a release build, of the thread's own time. Two bounds stand
    /// for it here, because tests are built without optimisation and share their machine. Heap allocations are counted, the
    /// same number on every machine: even without optimisation one and the work around it took 0.3 µs where it was measured,
    /// so 250,000 are less than 100 ms. The thread's time catches work that allocates nothing, with a factor of ten for code
    /// that is not optimised.
    private static let allocationLimit: UInt64 = 250_000
    private static let secondsLimit = 1.0

    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func review(_ object: JSONValue) -> JSONValue {
        ["request": ["uid": "u", "operation": "CREATE", "namespace": "dev", "object": object]]
    }

    /// Valid objects are taken.
    @Test(arguments: AdmissionSeeds.all.map(\.kind)) func seedIsValid(_ kind: String) throws {
        let seed = try #require(AdmissionSeeds.all.first { $0.kind == kind })
        let object = try #require(try ManifestReader.objects(in: seed.yaml).first).object
        #expect(Admission.review(object).filter { $0.severity == .error } == [])
    }

    @Test(.timeLimit(.minutes(10)), arguments: AdmissionSeeds.all.map(\.kind))
    func everyKindGetsAnAnswer(_ kind: String) throws {
        let seed = try #require(AdmissionSeeds.all.first { $0.kind == kind })
        var mutator = DocumentMutator(seed: Self.seed &+ kind.utf8.reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) })
        let start = try #require(try ManifestReader.objects(in: seed.yaml).first).object.json
        var refused = 0
        var (slowest, most) = (0.0, UInt64(0))
        for round in 0..<Self.count {
            guard let document = make(round, start, seed.yaml, &mutator) else { continue }
            let review = review(document)
            let (before, allocations) = (Self.cpuSeconds(), weft_thread_allocations())
            let (answer, allowed) = ValidationReview.answer(review) { Admission.review($0) }
            let (took, made) = (Self.cpuSeconds() - before, weft_thread_allocations() - allocations)
            (slowest, most) = (max(slowest, took), max(most, made))
            #expect(took < Self.secondsLimit, "round \(round) took \(took) s")
            #expect(made < Self.allocationLimit, "round \(round) allocated \(made) times")
            #expect(answer[path: "response", "uid"] == "u")
            #expect(answer[path: "response", "allowed"] == .bool(allowed))
            if !allowed {
                refused += 1
                let status = answer[path: "response", "status"]
                #expect(status?["code"] == 422)
                #expect(status?[path: "details", "causes"]?.arrayValue?.isEmpty == false)
            }
            // What is refused now may have been taken by an older release: no object may stop the mesh.
            translate(KubernetesObject(document))
        }
        #expect(refused > 0)
        if Self.environment["WEFT_FUZZ_REPORT"] != nil {
            print("admission \(kind): \(refused) of \(Self.count) refused, at most \(slowest) s, \(most) allocations")
        }
    }

    @Test(.timeLimit(.minutes(10))) func podsGetAnAnswer() throws {
        var mutator = DocumentMutator(seed: Self.seed)
        let start = try #require(try ManifestReader.objects(in: AdmissionSeeds.pod).first).object.json
        let webhook = InjectionWebhook(settings: InjectionSettings(meshConfig: [:], revision: "default"))
        for round in 0..<Self.count {
            guard let document = make(round, start, AdmissionSeeds.pod, &mutator) else { continue }
            let (answer, _) = webhook.review(review(document), namespaceLabels: ["istio-injection": "enabled"])
            #expect(answer[path: "response", "allowed"]?.boolValue != nil)
        }
    }

    /// Also reviews that are none.
    @Test func malformedReviewsAreRefused() throws {
        var mutator = DocumentMutator(seed: Self.seed)
        let whole = review(["kind": "VirtualService", "spec": [:]])
        for _ in 0..<Self.count {
            let (answer, _) = ValidationReview.answer(mutator.change(whole)) { Admission.review($0) }
            #expect(answer[path: "response", "allowed"]?.boolValue != nil)
        }
    }

    /// `nil` for a text that is not YAML any more: nobody can send that.
    private func make(_ round: Int, _ start: JSONValue, _ yaml: String, _ mutator: inout DocumentMutator) -> JSONValue?
    {
        if round.isMultiple(of: 4) {
            return (try? ManifestReader.objects(in: mutator.change(yaml)))?.first?.object.json
        }
        var document = start
        for _ in 0...mutator.below(3) { document["spec"] = mutator.change(document["spec"] ?? .null) }
        return document
    }

    private func translate(_ object: KubernetesObject) {
        let service = KubernetesObject([
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": "web", "namespace": "dev"],
            "spec": ["clusterIP": "10.96.0.9", "ports": [["name": "http", "port": 80]]],
        ])
        let translator = Translator(MeshSnapshot(objects: [service, object]))
        for kind in [ProxyIdentity.Kind.sidecar, .router] {
            let proxy = ProxyIdentity(
                kind: kind, address: "10.244.0.2", podName: "web-1", namespace: "dev",
                labels: ["app": "web", "istio": "ingressgateway"])
            _ = translator.configuration(for: proxy)
        }
    }
}
