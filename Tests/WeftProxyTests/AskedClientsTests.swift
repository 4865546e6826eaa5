import Synchronization
import Testing
import WeftADS
import WeftCore

@testable import WeftProxy

@Suite struct AskedClientsTests {
    private let caller: JSONValue = ["WORKLOAD_NAME": "caller", "NAMESPACE": "plain", "LABELS": ["app": "caller"]]

    @Test func anAddressIsAskedForOnceUntilAnswersMayBeOutOfDate() {
        let questions = Mutex<[String]>([])
        var clients = AskedClients()
        let step1 = clients.workload(at: "10.0.0.9")
        #expect(step1 == nil)
        clients.ask = { address in
            questions.withLock { $0.append(address) }
            return true
        }
        let step2 = clients.workload(at: "10.0.0.9")
        #expect(step2 == nil)
        let step3 = clients.workload(at: "10.0.0.9")
        #expect(step3 == nil)
        #expect(questions.withLock { $0 } == ["10.0.0.9"])
        let answer = ClientAnswer(address: "10.0.0.9", workload: caller)
        let step4 = clients.learn(answer)
        #expect(step4)
        let step5 = clients.workload(at: "10.0.0.9")
        #expect(step5?.canonicalService == "caller")
        let step6 = clients.learn(answer)
        #expect(!step6, "it is known")
        let step7 = clients.learn(ClientAnswer(address: "10.0.0.1", workload: caller))
        #expect(!step7, "nobody asked")

        // Asked anew, and true until the answer is another.
        let step8 = clients.renew()
        #expect(step8)
        let step9 = clients.workload(at: "10.0.0.9")
        #expect(step9?.workload == "caller")
        #expect(questions.withLock { $0 }.count == 2)
        let step10 = clients.learn(ClientAnswer(address: "10.0.0.9", workload: nil))
        #expect(step10)
        let step11 = clients.workload(at: "10.0.0.9")
        #expect(step11 == nil)
    }

    @Test func whatNobodyAsksForIsForgotten() {
        var clients = AskedClients()
        clients.ask = { _ in true }
        _ = clients.workload(at: "10.0.0.9")
        let step12 = clients.learn(ClientAnswer(address: "10.0.0.9", workload: caller))
        #expect(step12)
        let step13 = clients.renew()
        #expect(step13)
        let step14 = clients.renew()
        #expect(step14)
        clients.ask = nil
        let step15 = clients.workload(at: "10.0.0.9")
        #expect(step15 == nil)
        let step16 = clients.renew()
        #expect(!step16, "nothing is known")
    }

    @Test func questionsAreBounded() {
        let count = Mutex(0)
        var clients = AskedClients()
        clients.ask = { _ in
            count.withLock { $0 += 1 }
            return true
        }
        for number in 0..<(AskedClients.limit + 100) {
            _ = clients.workload(at: "10.1.\(number / 256).\(number % 256)")
        }
        #expect(count.withLock { $0 } == AskedClients.limit)
        // A question that had to be left out is asked later.
        var full = AskedClients()
        full.ask = { _ in
            count.withLock { $0 += 1 }
            return false
        }
        count.withLock { $0 = 0 }
        _ = full.workload(at: "10.0.0.9")
        _ = full.workload(at: "10.0.0.9")
        #expect(count.withLock { $0 } == 2)
    }
}
