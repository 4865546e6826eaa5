import Foundation
import WeftIR
import WeftProto

extension SocketOption {
    private typealias Wire = Envoy_Config_Core_V3_SocketOption

    func wire() -> Envoy_Config_Core_V3_SocketOption {
        var wire = Wire()
        wire.level = Int64(level)
        wire.name = Int64(name)
        wire.bufValue = Data(value)
        switch moment {
        case .beforeBind: wire.state = .statePrebind
        case .bound: wire.state = .stateBound
        case .listening: wire.state = .stateListening
        }
        return wire
    }

    init(_ wire: Envoy_Config_Core_V3_SocketOption, _ reader: WireReader) throws {
        let moment: Moment =
            switch wire.state {
            case .statePrebind: .beforeBind
            case .stateBound: .bound
            case .stateListening: .listening
            case .UNRECOGNIZED(let value): throw reader.error("unknown state \(value)")
            }
        guard let level = Int32(exactly: wire.level), let name = Int32(exactly: wire.name) else {
            throw reader.error("level \(wire.level) or name \(wire.name) is no number of a socket option")
        }
        switch wire.value {
        case .intValue(let number):
            guard let number = Int32(exactly: number) else {
                throw reader.error("int_value \(number) does not fit into 32 bits")
            }
            self.init(level: level, name: name, value: number, moment: moment)
        case .bufValue(let data): self.init(level: level, name: name, value: [UInt8](data), moment: moment)
        case nil: throw reader.error("int_value or buf_value is missing")
        }
    }
}
