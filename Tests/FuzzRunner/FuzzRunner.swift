import Foundation
import FuzzTargets

/// libFuzzer's entry point: `WEFT_FUZZ_TARGET` names the parser. Built by `dev/fuzz` alone.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: bytes, count: count))
    if let broken = FuzzRunner.target.check(input) { fatalError(broken) }
    return 0
}

private enum FuzzRunner {
    static let target: FuzzTarget = {
        let name = ProcessInfo.processInfo.environment["WEFT_FUZZ_TARGET"] ?? ""
        guard let target = FuzzTarget.named(name) else {
            fatalError("WEFT_FUZZ_TARGET=\(name) names no target; there are: \(FuzzTarget.all.map(\.name))")
        }
        return target
    }()
}
