/// Every hostile input. The names of the groups are the classes of `bad-input.md`.
enum HostileInputs {
    static let all =
        lengths + encodings + chunks + lines + fields + targets + hosts + paths + identity + pipelines + upgrades
        + floods
        + proxyProtocol + tls + frames + headerBlocks + http2Floods + responses + responseFrames

    static let refused = "400 closed"
}
