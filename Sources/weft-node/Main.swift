import WeftNode

@main struct Main {
    static func main() { NodeEntry.main() }
}
