import Foundation
import FuzzTargets

/// libFuzzer's own entry point, which takes the arguments and calls back for every input.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// One input. libFuzzer's library refers to it by this name.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: bytes, count: count))
    if let broken = FuzzRunner.target.check(input) { fatalError(broken) }
    return 0
}

/// Runs libFuzzer on the parser that `WEFT_FUZZ_TARGET` names. Built by `dev/fuzz` alone.
///
/// SwiftPM gives every executable a `main` of its own, which here calls libFuzzer's driver.
@main enum FuzzRunner {
    fileprivate static let target: FuzzTarget = {
        let name = ProcessInfo.processInfo.environment["WEFT_FUZZ_TARGET"] ?? ""
        guard let target = FuzzTarget.named(name) else {
            fatalError("WEFT_FUZZ_TARGET=\(name) names no target; there are: \(FuzzTarget.all.map(\.name))")
        }
        return target
    }()

    /// With `WEFT_FUZZ_SEEDS=FOLDER` only writes the target's own seeds there.
    static func main() {
        if let folder = ProcessInfo.processInfo.environment["WEFT_FUZZ_SEEDS"] {
            for (index, seed) in target.seeds.enumerated() {
                FileManager.default.createFile(atPath: "\(folder)/seed-\(index)", contents: Data(seed))
            }
            return
        }
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(runDriver(&count, &arguments, fuzzOneInput))
    }
}
