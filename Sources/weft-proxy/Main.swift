import WeftProxy

/// The data plane's executable; everything is in WeftProxy.
@main
struct Main {
    static func main() async { await ProxyMain.run() }
}
