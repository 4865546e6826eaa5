import Logging

/// The store's folder: `series.log` (labels by number), `wal-N.log` (samples since the last block), `N.block`.
///
/// Confined to the store's lock, but for ``writeBlock(_:)``, which touches no state.
final class StoreDisk: @unchecked Sendable {
    private let folder: String
    private let logger: Logger
    private var seriesLog: RecordLog?
    private var sampleLog: RecordLog?
    private var logNumber = 0
    private var oldLogs: [String] = []
    /// Files and records that could not be read.
    private(set) var damages = 0

    init(folder: String, logger: Logger) throws(DiskError) {
        self.folder = folder
        self.logger = logger
        try DiskFolder.make(folder)
    }

    var logBytes: Int { (seriesLog?.size ?? 0) + (sampleLog?.size ?? 0) }
    private var seriesPath: String { folder + "/series.log" }

    private func damaged(_ text: String) {
        damages += 1
        logger.error("\(text)")
    }

    // MARK: - Reading

    /// All whole blocks, oldest first. Others are renamed to `.damaged`, so that they are told of once and can be
    /// looked at.
    func loadBlocks() -> [Block] {
        var blocks: [Block] = []
        for name in (try? DiskFolder.names(folder)) ?? [] {
            let path = folder + "/" + name
            if name.hasSuffix(".tmp") { DiskFolder.remove(path) }
            guard name.hasSuffix(".block") else { continue }
            do {
                blocks.append(try Block(path: path))
            } catch {
                damaged("\(error); it is set aside as \(name).damaged, its time has no samples")
                try? DiskFolder.rename(path, to: path + ".damaged")
            }
        }
        return blocks.sorted { $0.minTime < $1.minTime }
    }

    func loadSeries() throws(DiskError) -> [(UInt32, Labels)] {
        var found: [(UInt32, Labels)] = []
        var isBad = false
        seriesLog = try RecordLog.open(seriesPath) { content in
            var reader = ByteReader(content)
            while !reader.isAtEnd {
                guard let one = Self.series(&reader) else {
                    isBad = true
                    return
                }
                found.append(one)
            }
        } damaged: {
            damaged($0.description)
        }
        if isBad { damaged("\(seriesPath) has a record that makes no sense; its series are lost") }
        return found
    }

    private static func series(_ reader: inout ByteReader) -> (UInt32, Labels)? {
        guard let id = reader.varint(), let count = reader.varint(), id <= UInt32.max, count <= 1000 else { return nil }
        var pairs: [Label] = []
        for _ in 0..<count {
            guard let name = reader.string(), let value = reader.string() else { return nil }
            pairs.append(Label(name, value))
        }
        return (UInt32(id), Labels(sorted: pairs))
    }

    /// Gives every sample that has not gone to a block, and begins a new log behind the old ones.
    func replay(_ body: (Int64, UInt32, Double) -> Void) throws(DiskError) {
        let names = try DiskFolder.names(folder).filter { $0.hasPrefix("wal-") && $0.hasSuffix(".log") }
        for name in names {
            let path = folder + "/" + name
            logNumber = max(logNumber, Int(name.dropFirst(4).dropLast(4)) ?? 0)
            oldLogs.append(path)
            var isBad = false
            _ = try RecordLog.open(path) { content in
                if !Self.samples(content, body) { isBad = true }
            } damaged: {
                damaged($0.description)
            }
            if isBad { damaged("\(path) has a record that makes no sense; its samples are lost") }
        }
        rotateLog()
    }

    private static func samples(_ content: ArraySlice<UInt8>, _ body: (Int64, UInt32, Double) -> Void) -> Bool {
        var reader = ByteReader(content)
        var (id, time): (Int64, Int64) = (0, 0)
        while !reader.isAtEnd {
            guard let idChange = reader.signed(), let timeChange = reader.signed(), let tag = reader.varint() else {
                return false
            }
            id &+= idChange
            time &+= timeChange
            guard let number = UInt32(exactly: id) else { return false }
            if tag & 1 == 0 {
                let raw = tag >> 1
                body(time, number, Double(Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)))
            } else {
                guard let bits = reader.fixed64() else { return false }
                body(time, number, Double(bitPattern: bits))
            }
        }
        return true
    }

    // MARK: - Writing

    func log(series: [HeadSeries]) throws(DiskError) {
        var writer = ByteWriter()
        for one in series {
            writer.varint(UInt64(one.id))
            writer.varint(UInt64(one.labels.pairs.count))
            for label in one.labels.pairs {
                writer.string(label.name)
                writer.string(label.value)
            }
        }
        if seriesLog == nil { seriesLog = try RecordLog.open(seriesPath, { _ in }, damaged: { _ in }) }
        try seriesLog?.append(writer.bytes)
    }

    /// Writes the series log anew, without those that are gone.
    func rewriteSeries(_ series: [HeadSeries]) throws(DiskError) {
        let temporary = seriesPath + ".tmp"
        DiskFolder.remove(temporary)
        let old = seriesLog
        do {
            seriesLog = try RecordLog.open(temporary, { _ in }, damaged: { _ in })
            for start in stride(from: 0, to: series.count, by: 10_000) {
                try log(series: Array(series[start..<min(start + 10_000, series.count)]))
            }
            try seriesLog?.synchronize()
            try DiskFolder.rename(temporary, to: seriesPath)
        } catch {
            seriesLog = old
            throw error
        }
    }

    func log(_ samples: [(series: UInt32, time: Int64, value: Double)]) throws(DiskError) {
        guard !samples.isEmpty else { return }
        if sampleLog == nil { sampleLog = try RecordLog.open(logPath(logNumber), { _ in }, damaged: { _ in }) }
        var writer = ByteWriter()
        var (id, time): (Int64, Int64) = (0, 0)
        for sample in samples {
            writer.signed(Int64(sample.series) - id)
            writer.signed(sample.time &- time)
            (id, time) = (Int64(sample.series), sample.time)
            if let whole = Int64(exactly: sample.value), whole.magnitude < 1 << 52,
                whole != 0 || sample.value.sign == .plus
            {
                writer.varint(UInt64(bitPattern: (whole << 1) ^ (whole >> 63)) << 1)
            } else {
                writer.varint(1)
                writer.fixed(sample.value.bitPattern)
            }
        }
        try sampleLog?.append(writer.bytes)
    }

    func synchronize() throws(DiskError) {
        try seriesLog?.synchronize()
        try sampleLog?.synchronize()
    }

    private func logPath(_ number: Int) -> String {
        let digits = String(number)
        return folder + "/wal-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".log"
    }

    /// The samples from here on go to a new log; the old ones stay until their block is written.
    func rotate() {
        if let sampleLog { oldLogs.append(sampleLog.path) }
        rotateLog()
    }

    private func rotateLog() {
        logNumber += 1
        sampleLog = nil
    }

    func removeOldLogs() {
        oldLogs.forEach(DiskFolder.remove)
        oldLogs = []
    }

    func writeBlock(_ list: [(id: UInt32, chunks: [Chunk])]) throws -> Block {
        let time = list.lazy.flatMap(\.chunks).map(\.minTime).min() ?? 0
        let last = list.lazy.flatMap(\.chunks).map(\.maxTime).max() ?? 0
        return try Block.write(list, to: "\(folder)/\(time)-\(last).block")
    }
}
