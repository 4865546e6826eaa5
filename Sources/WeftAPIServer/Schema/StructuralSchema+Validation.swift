import WeftCore

extension StructuralSchema {
    /// Everything in `value` that the schema forbids, in the words of Kubernetes' validator.
    func problems(_ value: JSONValue, path: String = "") -> [FieldProblem] {
        if value.isNull {
            return nullable || type == nil ? [] : [wrongType("null", path)]
        }
        if intOrString {
            switch value {
            case .int, .string: break
            default: return [wrongType(value.typeName, path)]
            }
        } else if let type, !fits(value, type) {
            return [wrongType(value.typeName, path)]
        }
        var found = valueProblems(value, path)
        switch value {
        case .object(let members): found += memberProblems(members, path)
        case .array(let elements):
            if let items {
                for (index, element) in elements.enumerated() {
                    found += items.problems(element, path: "\(path)[\(index)]")
                }
            }
        default: break
        }
        return found + alternativeProblems(value, path)
    }

    private func fits(_ value: JSONValue, _ type: String) -> Bool {
        switch (type, value) {
        case ("integer", .double(let number)): Int64(exactly: number) != nil
        case ("number", .int): true
        default: value.typeName == type
        }
    }

    private func wrongType(_ found: String, _ path: String) -> FieldProblem {
        let wanted = intOrString ? "integer,string" : type ?? ""
        return FieldProblem(
            kind: .typeInvalid(.string(found)), path: path,
            detail: "\(path) in body must be of type \(wanted): \"\(found)\"")
    }

    private func memberProblems(_ members: [String: JSONValue], _ path: String) -> [FieldProblem] {
        var found: [FieldProblem] = []
        for key in required where members[key] == nil {
            found.append(.required(path.isEmpty ? key : "\(path).\(key)"))
        }
        for (key, member) in members.sorted(by: { $0.key < $1.key }) {
            let full = path.isEmpty ? key : "\(path).\(key)"
            if let schema = properties[key] ?? additional { found += schema.problems(member, path: full) }
        }
        return found
    }

    private func valueProblems(_ value: JSONValue, _ path: String) -> [FieldProblem] {
        var found: [FieldProblem] = []
        func refuse(_ detail: String) { found.append(.invalid(path, value, "\(path) in body \(detail)")) }
        if let allowed = document["enum"]?.arrayValue, !allowed.contains(value) {
            found.append(
                FieldProblem(
                    kind: .notSupported(value, allowed.map { $0.stringValue ?? $0.text() }), path: path, detail: ""))
        }
        if let number = value.doubleValue { numberProblems(number, refuse) }
        if case .string(let text) = value {
            if let least = document["minLength"]?.intValue, text.unicodeScalars.count < least {
                refuse("should be at least \(least) chars long")
            }
            if let most = document["maxLength"]?.intValue, text.unicodeScalars.count > most {
                found.append(FieldProblem(kind: .tooLong, path: path, detail: "may not be more than \(most) bytes"))
            }
            if let pattern, !pattern.matches(text) { refuse("should match '\(pattern.source)'") }
        }
        if case .array(let elements) = value { listProblems(elements, path, &found, refuse) }
        if case .object(let members) = value {
            if let most = document["maxProperties"]?.intValue, members.count > most {
                refuse("should have at most \(most) properties")
            }
            if let least = document["minProperties"]?.intValue, members.count < least {
                refuse("should have at least \(least) properties")
            }
        }
        return found
    }

    private func numberProblems(_ number: Double, _ refuse: (String) -> Void) {
        if let least = document["minimum"]?.doubleValue {
            let exclusive = document["exclusiveMinimum"] == true
            if exclusive ? number <= least : number < least {
                refuse("should be greater than \(exclusive ? "" : "or equal to ")\(document["minimum"]?.text() ?? "")")
            }
        }
        if let most = document["maximum"]?.doubleValue {
            let exclusive = document["exclusiveMaximum"] == true
            if exclusive ? number >= most : number > most {
                refuse("should be less than \(exclusive ? "" : "or equal to ")\(document["maximum"]?.text() ?? "")")
            }
        }
    }

    private func listProblems(
        _ elements: [JSONValue], _ path: String, _ found: inout [FieldProblem], _ refuse: (String) -> Void
    ) {
        if let most = document["maxItems"]?.intValue, elements.count > most {
            refuse("should have at most \(most) items")
        }
        if let least = document["minItems"]?.intValue, elements.count < least {
            refuse("should have at least \(least) items")
        }
        let identities: [JSONValue]
        switch listMerge {
        case .atomic: return
        case .set: identities = elements
        case .byKeys(let keys):
            identities = elements.map { element in
                .object(Dictionary(keys.compactMap { key in element[key].map { (key, $0) } }) { first, _ in first })
            }
        }
        var seen = Set<JSONValue>()
        for (index, identity) in identities.enumerated() where !seen.insert(identity).inserted {
            found.append(FieldProblem(kind: .duplicate(identity), path: "\(path)[\(index)]", detail: ""))
        }
    }

    private func alternativeProblems(_ value: JSONValue, _ path: String) -> [FieldProblem] {
        alternatives.flatMap { word, schemas -> [FieldProblem] in
            let results = schemas.map { $0.problems(value, path: path) }
            let fitting = results.count(where: \.isEmpty)
            func refuse(_ text: String) -> [FieldProblem] {
                [.invalid(path.isEmpty ? "<nil>" : path, value, "\(path.isEmpty ? "" : "\(path) in body ")\(text)")]
            }
            return switch word {
            case "allOf": results.flatMap { $0 }
            case "anyOf":
                fitting == 0 ? refuse("must validate at least one schema (anyOf)") + (results.first ?? []) : []
            case "oneOf":
                fitting == 1
                    ? []
                    : refuse(
                        "must validate one and only one schema (oneOf). Found \(fitting == 0 ? "none" : "\(fitting)") valid"
                    )
            default: fitting > 0 ? refuse("must not validate the schema (not)") : []
            }
        }
    }
}
