import SwiftProtobuf
package import WeftCore
import WeftIR
import WeftProto

/// The runtime of a proxy: values by flat key, from the static layers of its bootstrap. They never change.
///
/// A setting that has a `runtime_key` takes the value of that key where there is one that fits, else its default.
package struct RuntimeValues: Sendable {
    private let values: [String: JSONValue]

    package init(_ values: [String: JSONValue] = [:]) { self.values = values }

    /// A number is a percentage; an object is a fraction (`numerator`, `denominator`).
    func fraction(_ wire: Envoy_Config_Core_V3_RuntimeFractionalPercent) -> FractionalPercent {
        fraction(wire.runtimeKey) ?? FractionalPercent(wire.defaultValue)
    }

    /// - Returns: `nil` if the key has no value that is a share.
    func fraction(_ key: String) -> FractionalPercent? {
        switch values[key] {
        case .object(let members): Self.fraction(members)
        case .int(let percent): percent < 0 ? nil : FractionalPercent(percent: Double(percent))
        case .double, .string: values[key]?.wholeNumber.map { FractionalPercent(percent: Double($0)) }
        default: nil
        }
    }

    /// The share of an access log's filter: a number is in parts of the default's denominator.
    func sampled(_ key: String, _ share: Envoy_Type_V3_FractionalPercent) -> FractionalPercent {
        var share = share
        if let value = values[key]?.wholeNumber { share.numerator = UInt32(clamping: value) }
        return FractionalPercent(share)
    }

    private static func fraction(_ members: [String: JSONValue]) -> FractionalPercent? {
        guard let numerator = members["numerator"]?.wholeNumber else { return nil }
        var wire = Envoy_Type_V3_FractionalPercent()
        wire.numerator = UInt32(clamping: numerator)
        switch members["denominator"] {
        case nil, .string("HUNDRED"): wire.denominator = .hundred
        case .string("TEN_THOUSAND"): wire.denominator = .tenThousand
        case .string("MILLION"): wire.denominator = .million
        default: return nil
        }
        return FractionalPercent(wire)
    }

    /// - Parameter otherwise: For a setting without a default.
    func flag(_ wire: Envoy_Config_Core_V3_RuntimeFeatureFlag, otherwise: Bool = false) -> Bool {
        switch values[wire.runtimeKey] {
        case .bool(let value): value
        case .string(let text) where text.lowercased() == "true": true
        case .string(let text) where text.lowercased() == "false": false
        default: wire.hasDefaultValue ? wire.defaultValue.value : otherwise
        }
    }

    func number(_ wire: Envoy_Config_Core_V3_RuntimeUInt32) -> UInt32 {
        values[wire.runtimeKey]?.wholeNumber.map { UInt32(clamping: $0) } ?? wire.defaultValue
    }

    func number(_ wire: Envoy_Config_Core_V3_RuntimeDouble) -> Double {
        switch values[wire.runtimeKey] {
        case .int(let value): Double(value)
        case .double(let value): value
        case .string(let text): Double(text) ?? wire.defaultValue
        default: wire.defaultValue
        }
    }
}

extension JSONValue {
    /// Not negative.
    fileprivate var wholeNumber: Int64? {
        switch self {
        case .int(let value) where value >= 0: value
        case .double(let value) where value >= 0 && value.rounded() == value: Int64(exactly: value)
        case .string(let text): Int64(text).flatMap { $0 >= 0 ? $0 : nil }
        default: nil
        }
    }
}
