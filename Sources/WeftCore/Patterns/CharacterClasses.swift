/// Classes of characters that a pattern names by `\p`: general categories of Unicode (`L`, `Lu`), scripts (`Greek`), `Any`.
///
/// Envoy gives RE2 its input as Latin-1, a character a byte. So a class is what of it is among the first 256 characters:
/// of most scripts nothing.
enum CharacterClasses {
    /// - Returns: `nil` for a name that there is not.
    static func named(_ name: String) -> ByteSet? {
        if name == "Any" { return ByteSet().inverted }
        if scripts.contains(name) {
            switch name {
            case "Latin": return latin
            case "Common": return latin.inverted
            default: return ByteSet()
            }
        }
        guard categories.contains(name) || categories.contains(where: { $0.hasPrefix(name) && name.utf8.count == 1 })
        else { return nil }
        var set = ByteSet()
        for byte in UInt8.min...UInt8.max where category(byte).hasPrefix(name) { set.insert(byte) }
        return set
    }

    private static let latin = [65...90, 97...122, 0xAA...0xAA, 0xBA...0xBA, 0xC0...0xD6, 0xD8...0xF6, 0xF8...0xFF]
        .reduce(into: ByteSet()) { $0.formUnion(ByteSet($1)) }

    private static let categories: Set<String> = [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co",
    ]

    /// Of the first 256 characters; the others have no place in Latin-1.
    private static func category(_ byte: UInt8) -> String {
        switch Unicode.Scalar(byte).properties.generalCategory {
        case .uppercaseLetter: "Lu"
        case .lowercaseLetter: "Ll"
        case .otherLetter: "Lo"
        case .decimalNumber: "Nd"
        case .otherNumber: "No"
        case .connectorPunctuation: "Pc"
        case .dashPunctuation: "Pd"
        case .openPunctuation: "Ps"
        case .closePunctuation: "Pe"
        case .initialPunctuation: "Pi"
        case .finalPunctuation: "Pf"
        case .otherPunctuation: "Po"
        case .mathSymbol: "Sm"
        case .currencySymbol: "Sc"
        case .modifierSymbol: "Sk"
        case .otherSymbol: "So"
        case .spaceSeparator: "Zs"
        case .control: "Cc"
        case .format: "Cf"
        default: ""
        }
    }

    /// All scripts of Unicode.
    private static let scripts = Set(
        """
        Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Beria_Erfe
        Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham
        Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru
        Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek
        Gujarati Gunjala_Gondi Gurmukhi Gurung_Khema Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana
        Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Jurchen Kaithi Kannada
        Katakana Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Kirat_Rai Lao Latin Lepcha
        Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen
        Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi
        Mongolian Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu
        Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian Old_Permic
        Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene
        Pau_Cin_Hau Phags_Pa Phoenician Proto_Cuneiform Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Seal
        Sharada Shavian Siddham Sidetic SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar
        Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Tai_Yo Takri Tamil Tangsa Tangut Telugu Thaana
        Thai Tibetan Tifinagh Tirhuta Todhri Tolong_Siki Toto Tulu_Tigalari Ugaritic Vai Vithkuqi Wancho Warang_Citi
        Yezidi Yi Zanabazar_Square
        """.split { $0 == " " || $0 == "\n" }.map(String.init))
}
