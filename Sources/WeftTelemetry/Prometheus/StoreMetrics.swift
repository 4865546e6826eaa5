/// The stores' own numbers in the Prometheus text format.
package enum StoreMetrics {
    package static func text(
        _ store: StoreStatistics, spans: (received: UInt64, dropped: UInt64, held: Int, bytes: Int)
    ) -> String {
        let families: [(name: String, kind: String, help: String, value: UInt64)] = [
            ("weft_tsdb_series", "gauge", "Series in the store.", UInt64(store.series)),
            ("weft_tsdb_samples_appended_total", "counter", "Samples taken in.", store.samplesAppended),
            (
                "weft_tsdb_samples_refused_total", "counter", "Samples not younger than their series.",
                store.samplesRefused
            ),
            ("weft_tsdb_series_refused_total", "counter", "Series above the limit.", store.seriesRefused),
            ("weft_tsdb_samples_lost_total", "counter", "Samples lost to damage or a full disk.", store.samplesLost),
            ("weft_tsdb_write_failures_total", "counter", "Failed writes.", store.writeFailures),
            ("weft_tsdb_corruptions_total", "counter", "Damaged files and chunks.", store.corruptions),
            ("weft_tsdb_blocks", "gauge", "Blocks on disk.", UInt64(store.blocks)),
            ("weft_tsdb_block_bytes", "gauge", "Bytes of blocks on disk.", UInt64(store.blockBytes)),
            ("weft_tsdb_log_bytes", "gauge", "Bytes of the write-ahead log.", UInt64(store.logBytes)),
            ("weft_spans_received_total", "counter", "Spans taken in.", spans.received),
            ("weft_spans_dropped_total", "counter", "Spans let go before their time.", spans.dropped),
            ("weft_spans_held", "gauge", "Spans in memory.", UInt64(spans.held)),
            ("weft_spans_bytes", "gauge", "Bytes that these take, about.", UInt64(spans.bytes)),
        ]
        return families.map {
            "# HELP \($0.name) \($0.help)\n# TYPE \($0.name) \($0.kind)\n\($0.name) \($0.value)\n"
        }.joined()
    }
}
