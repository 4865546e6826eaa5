/// What an expression gives.
package enum PromQLType: String, Sendable, Hashable {
    case scalar
    case vector = "instant vector"
    case matrix = "range vector"
    case string
}

/// `@ 1609746000`, `@ start()`, `@ end()`: at which time a selector looks, whatever the step.
package enum AtModifier: Sendable, Hashable {
    /// Milliseconds since 1970.
    case time(Int64)
    case start
    case end
}

/// A selector's or subquery's shift in time.
package struct TimeShift: Sendable, Hashable {
    /// Milliseconds into the past; negative for the future.
    package var offset: Int64 = 0
    package var at: AtModifier?

    /// Which time stands for the step at `time`.
    func reference(_ time: Int64, start: Int64, end: Int64) -> Int64 {
        switch at {
        case nil: time - offset
        case .time(let fixed): fixed - offset
        case .start: start - offset
        case .end: end - offset
        }
    }
}

/// `name{label="value"}`
package struct VectorSelector: Sendable, Hashable {
    package var matchers: [LabelMatcher]
    package var shift = TimeShift()
}

/// Operators between two expressions.
package enum BinaryOperator: String, Sendable, Hashable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case modulo = "%"
    case power = "^"
    case atan2
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case greater = ">"
    case lessOrEqual = "<="
    case greaterOrEqual = ">="
    case and
    case or
    case unless

    package var isComparison: Bool {
        switch self {
        case .equal, .notEqual, .less, .greater, .lessOrEqual, .greaterOrEqual: true
        default: false
        }
    }
    package var isSet: Bool { self == .and || self == .or || self == .unless }

    /// Binds tighter the higher it is.
    var precedence: Int {
        switch self {
        case .or: 1
        case .and, .unless: 2
        case .equal, .notEqual, .less, .greater, .lessOrEqual, .greaterOrEqual: 3
        case .add, .subtract: 4
        case .multiply, .divide, .modulo, .atan2: 5
        case .power: 6
        }
    }
}

/// Which series of two vectors belong together.
package struct VectorMatching: Sendable, Hashable {
    package enum Cardinality: Sendable, Hashable { case oneToOne, manyToOne, oneToMany, manyToMany }
    package var cardinality = Cardinality.oneToOne
    /// `on(labels)` when true, else `ignoring(labels)`.
    package var isOn = false
    package var labels: [String] = []
    /// Labels that the result takes from the side that has one: `group_left(labels)`.
    package var include: [String] = []
}

/// How a vector is folded.
package enum Aggregation: String, Sendable, Hashable, CaseIterable {
    case sum, avg, min, max, count, group, stddev, stdvar, topk, bottomk, quantile
    case countValues = "count_values"

    var takesParameter: Bool {
        switch self {
        case .topk, .bottomk, .quantile, .countValues: true
        default: false
        }
    }
}

/// A parsed and type-checked query.
package indirect enum Expression: Sendable, Hashable {
    case number(Double)
    case string(String)
    case vector(VectorSelector)
    /// Milliseconds.
    case matrix(VectorSelector, range: Int64)
    /// Milliseconds; a step of `nil` is the default.
    case subquery(Expression, range: Int64, step: Int64?, TimeShift)
    case call(PromQLFunction, [Expression])
    case aggregate(Aggregation, Expression, parameter: Expression?, grouping: [String], without: Bool)
    case negate(Expression)
    case binary(BinaryOperator, Expression, Expression, bool: Bool, VectorMatching?)
    case parenthesized(Expression)

    package var type: PromQLType {
        switch self {
        case .number: .scalar
        case .string: .string
        case .vector, .aggregate: .vector
        case .matrix, .subquery: .matrix
        case .call(let function, _): function.returnType
        case .negate(let inner), .parenthesized(let inner): inner.type
        case .binary(_, let left, let right, _, _):
            left.type == .scalar && right.type == .scalar ? .scalar : .vector
        }
    }

    /// Without the parentheses around it.
    var unwrapped: Expression {
        if case .parenthesized(let inner) = self { return inner.unwrapped }
        return self
    }
}
