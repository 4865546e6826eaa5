/// Texts for places that take no line ends.
enum PercentEncoding {
    /// PEM as headers and logs have it: what is no letter, digit or dash is percent-encoded.
    static func pem(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\n": result += "%0A"
            case " ": result += "%20"
            case "+": result += "%2B"
            case "/": result += "%2F"
            case "=": result += "%3D"
            default: result.append(character)
            }
        }
        return result
    }
}
