import Logging
import Synchronization
import Testing
import WeftTelemetry

@Suite struct ScrapeTests {
    private static let start: Int64 = 1_700_000_000_000
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func value(_ store: TimeSeriesStore, _ query: String, at time: Int64) throws -> [Double] {
        guard case .vector(let list) = try QueryEngine(source: store).instant(PromQLParser.parse(query), at: time)
        else {
            return []
        }
        return list.map(\.point.value)
    }

    @Test func seriesThatEndAreStaleAtOnce() throws {
        let store = try TimeSeriesStore(logger: Self.logger)
        let session = ScrapeSession(store: store, labels: ["instance": "i", "job": "j"])
        func scrape(_ text: String, _ step: Int64) -> ScrapeOutcome {
            session.ingest(Array(text.utf8), openMetrics: false, at: Self.start + step * 15_000, seconds: 0.25)
        }
        #expect(scrape("a 1\nb{instance=\"x\"} 2\n", 0).added == 2)
        #expect(scrape("a 2\n", 1).added == 0)
        let now = Self.start + 16_000
        #expect(try value(store, "a{instance=\"i\",job=\"j\"}", at: now) == [2])
        #expect(try value(store, "b", at: now).isEmpty)
        #expect(try value(store, "b{exported_instance=\"x\"}", at: Self.start + 1) == [2])
        #expect(try value(store, "scrape_duration_seconds", at: now) == [0.25])
        session.failed(at: Self.start + 30_000, seconds: 1)
        #expect(try value(store, "a", at: Self.start + 31_000).isEmpty)
        #expect(try value(store, "up", at: Self.start + 31_000) == [0])
        #expect(scrape("a 3\n", 3).samples == 1)
        #expect(try value(store, "a", at: Self.start + 46_000) == [3])
        session.end(at: Self.start + 60_000)
        #expect(try value(store, "{job=\"j\"}", at: Self.start + 61_000).isEmpty)
    }

    @Test func aCounterThatComesUpBeganAtZero() throws {
        let store = try TimeSeriesStore(logger: Self.logger)
        let session = ScrapeSession(store: store, labels: ["instance": "i"])
        func scrape(_ text: String, _ step: Int64) {
            let types = "# TYPE c counter\n# TYPE d_total counter\n# TYPE h histogram\n# TYPE g gauge\n"
            _ = session.ingest(
                Array((types + text).utf8), openMetrics: false, at: Self.start + step * 2_000, seconds: 0)
        }
        scrape("c{x=\"old\"} 7\n", 0)
        scrape("c{x=\"old\"} 7\nc{x=\"new\"} 3\nd_total 1\nh_bucket{le=\"1\"} 2\nh_count 4\ng 5\nu 6\n", 1)
        let now = Self.start + 2_000
        func rates(_ metric: String) throws -> [Double] { try value(store, "rate(\(metric)[4s]) > 0", at: now) }
        // One request, one scrape later: it shows.
        #expect(try rates("c{x=\"new\"}").count == 1)
        #expect(try rates("c{x=\"old\"}").isEmpty)
        #expect(try rates("d_total").count == 1)
        #expect(try rates("h_bucket").count == 1)
        #expect(try rates("h_count").count == 1)
        // Nobody said that these count.
        for name in ["g", "u"] { #expect(try value(store, "count_over_time(\(name)[4s])", at: now) == [1]) }
        // A scrape that fails in between changes nothing about that: it was zero when it was last looked at.
        session.failed(at: Self.start + 4_000, seconds: 0)
        scrape("c{x=\"later\"} 9\n", 3)
        #expect(try value(store, "increase(c{x=\"later\"}[6s])", at: Self.start + 6_000).first.map { $0 >= 9 } == true)
        // After a long silence nobody knows any more when it was.
        session.failed(at: Self.start + 8_000, seconds: 0)
        scrape("c{x=\"much later\"} 9\n", 200)
        #expect(try value(store, "count_over_time(c{x=\"much later\"}[600s])", at: Self.start + 400_000) == [1])
    }

    /// A program that has just begun has counted from zero, whatever its first scrape says; one that has long run
    /// may have counted what another store has.
    @Test(arguments: [(1_000 as Int64, 2), (400_000, 1)])
    func aProgramBeginsAtZero(_ age: Int64, _ samples: Double) throws {
        let store = try TimeSeriesStore(logger: Self.logger)
        let session = ScrapeSession(store: store, labels: ["instance": "i"], began: Self.start - age)
        _ = session.ingest(
            Array("# TYPE c counter\nc 1\n".utf8), openMetrics: false, at: Self.start, seconds: 0)
        #expect(try value(store, "count_over_time(c[900s])", at: Self.start) == [samples])
        #expect(try value(store, "rate(c[60s]) > 0", at: Self.start).isEmpty == (samples == 1))
    }

    /// A pod that gets another label goes on counting where it was.
    @Test func aTargetThatChangesItsLabelsGoesOn() async throws {
        let store = try TimeSeriesStore(logger: Self.logger)
        let clock = Mutex(Self.start)
        let label = Mutex("a")
        let requests = Mutex(0)
        let scraper = Scraper(
            store: store, logger: Self.logger, now: { clock.withLock { $0 } },
            targets: { [ScrapeTarget(url: "http://a", labels: ["version": label.withLock { $0 }])] },
            fetch: { _ in
                let count = requests.withLock { $0 }
                let text = count == 0 ? "x 1\n" : "# TYPE c counter\nc \(count)\n"
                return ScrapeBody(bytes: Array(text.utf8), isOpenMetrics: false)
            })
        await scraper.scrapeAll()
        clock.withLock { $0 += 2_000 }
        label.withLock { $0 = "b" }
        requests.withLock { $0 = 1 }
        await scraper.scrapeAll()
        #expect(try value(store, "rate(c{version=\"b\"}[60s]) > 0", at: Self.start + 2_000).count == 1)
        #expect(try value(store, "up", at: Self.start + 2_000) == [1])
    }

    @Test(arguments: [(1, 1), (20, 1), (21, 2), (50, 2), (51, 5), (150, 5), (151, 15), (500, 15)])
    func fewTargetsAreLookedAtOften(_ count: Int, _ seconds: Int) {
        #expect(Scraper.pause(count) == .seconds(seconds))
    }

    @Test func oneFarOffTimeDoesNotMakeTheRestOld() throws {
        let store = try TimeSeriesStore(logger: Self.logger)
        let session = ScrapeSession(store: store, labels: [:])
        let outcome = session.ingest(
            Array("a 1\nb 2 9999999999999999\nc 3\n".utf8), openMetrics: false, at: Self.start, seconds: 0)
        #expect(outcome.samples == 2)
        #expect(outcome.problem != nil)
        #expect(try value(store, "a + on() c", at: Self.start) == [4])
    }

    @Test func targetsComeFailAndGo() async throws {
        let store = try TimeSeriesStore(logger: Self.logger)
        let targets = Mutex([
            ScrapeTarget(url: "http://a", labels: ["instance": "a"]),
            ScrapeTarget(url: "http://b", labels: ["instance": "b"]),
        ])
        let clock = Mutex(Self.start)
        struct Down: Error {}
        let scraper = Scraper(
            store: store, logger: Self.logger, now: { clock.withLock { $0 } }, targets: { targets.withLock { $0 } },
            fetch: { url in
                guard url == "http://a" else { throw Down() }
                return ScrapeBody(bytes: Array("# TYPE m counter\nm 5\nbroken{\n".utf8), isOpenMetrics: false)
            })
        await scraper.scrapeAll()
        #expect(try value(store, "sort(up)", at: Self.start) == [0, 1])
        #expect(scraper.statuses.map { $0.error != nil } == [false, true])
        #expect(scraper.statuses.first?.warning?.hasPrefix("1 lines left out") == true)
        #expect(scraper.metadata["m"]?.kind == "counter")
        targets.withLock { $0 = [] }
        clock.withLock { $0 += 15_000 }
        await scraper.scrapeAll()
        #expect(try value(store, "up", at: Self.start + 15_000).isEmpty)
        #expect(scraper.statuses.isEmpty)
    }

    @Test func edgesComeOutOfTheStore() throws {
        let store = try TimeSeriesStore(logger: Self.logger)
        let session = ScrapeSession(store: store, labels: ["instance": "i"])
        for step in 0...12 {
            let text =
                "istio_requests_total{reporter=\"source\",source_workload=\"a\",destination_workload=\"b\"} \(step * 50)\n"
            _ = session.ingest(
                Array((step == 0 ? "other 1\n" : text).utf8), openMetrics: false, at: Self.start + Int64(step) * 5000,
                seconds: 0)
        }
        let edges = try MeshGraph(source: store).edges(at: Self.start + 60_000)
        // Six hundred requests in sixty seconds: the series began at zero.
        #expect(edges.map(\.requestsPerSecond) == [10])
    }

    @Test func remoteWriteSendsEachSampleOnceAndTriesAgain() async throws {
        let store = try TimeSeriesStore(logger: Self.logger)
        let clock = Mutex(Self.start)
        let bodies = Mutex<[[UInt8]]>([])
        let status = Mutex(503)
        let writer = RemoteWriter(source: store, logger: Self.logger, now: { clock.withLock { $0 } }) { body in
            if status.withLock({ $0 }) < 300 { bodies.withLock { $0.append(body) } }
            return status.withLock { $0 }
        }
        let id = try #require(store.identify(Labels(["__name__": "m", "x": "y"])))
        store.append([(series: id, value: 1.5)], at: Self.start)
        store.append([(series: id, value: 2.5)], at: Self.start + 15_000)
        clock.withLock { $0 += 60_000 }
        await #expect(throws: (any Error).self) { try await writer.sendNew() }
        status.withLock { $0 = 204 }
        try await writer.sendNew()
        try await writer.sendNew()
        let sent = bodies.withLock { $0 }
        #expect(sent.count == 1)
        let plain = try #require(sent.first.flatMap { Snappy.decompress($0) })
        var samples: [Double] = []
        var request = ProtobufReader(plain[...])
        while let (_, value) = try request.next() {
            guard case .bytes(let content) = value else { continue }
            var series = ProtobufReader(content)
            while let (field, value) = try series.next() {
                guard field == 2, case .bytes(let sample) = value else { continue }
                var reader = ProtobufReader(sample)
                while let (field, value) = try reader.next() {
                    if field == 1, case .fixed64(let bits) = value { samples.append(Double(bitPattern: bits)) }
                }
            }
        }
        #expect(samples == [1.5, 2.5])
    }
}
