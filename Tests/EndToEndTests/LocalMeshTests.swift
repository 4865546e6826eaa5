import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// "What it must show" 1 and 5: the mesh is up, Bookinfo answers, the tools show what was applied.
    @Suite(.serialized) struct LocalMeshTests {
        @Test func systemPodsRun() async throws {
            let mesh = try await LocalMesh.shared()
            let pods = try await mesh.pods(namespace: "istio-system")
            for app in ["istiod", "istio-ingressgateway", "istio-egressgateway"] {
                let pod = try #require(pods.first { $0.name.hasPrefix(app + "-") }, "no pod of \(app)")
                #expect(pod.status == "Running")
                #expect(pod.ready == "1/1")
            }
        }

        @Test func bookinfoPodsHaveSidecars() async throws {
            let mesh = try await LocalMesh.shared()
            let pods = try await eventually("all pods 2/2") {
                let pods = try await mesh.pods(namespace: "bookinfo")
                return pods.count >= 6 && pods.allSatisfy { $0.ready == "2/2" && $0.status == "Running" } ? pods : nil
            }
            for app in ["productpage-v1", "details-v1", "ratings-v1", "reviews-v1", "reviews-v2", "reviews-v3"] {
                #expect(pods.contains { $0.name.hasPrefix(app + "-") }, "no pod of \(app)")
            }
        }

        @Test func productPageAnswersThroughTheIngressGateway() async throws {
            let mesh = try await LocalMesh.shared()
            let page = try await eventually("the product page") {
                let result = try await command([
                    "curl", "-s", "--max-time", "10", "http://127.0.0.1:\(mesh.httpPort)/productpage",
                ])
                return result.out.contains("Comedy of Errors") && result.out.contains("Reviewer") ? result.out : nil
            }
            #expect(page.contains("<title>"))
        }

        @Test func everyProxyIsSynced() async throws {
            let mesh = try await LocalMesh.shared()
            let status = try await eventually("every proxy SYNCED") {
                let result = try await mesh.istioctl("proxy-status").checked()
                return result.out.contains("STALE") || result.out.contains("NOT SENT") ? nil : result.out
            }
            for workload in ["productpage-v1", "reviews-v3", "istio-ingressgateway", "istio-egressgateway"] {
                let row = status.split(separator: "\n").first { $0.contains(workload) }
                #expect(row?.contains("SYNCED") ?? false, "\(workload) in\n\(status)")
            }
        }

        @Test func proxyConfigShowsIstiosNames() async throws {
            let mesh = try await LocalMesh.shared()
            let clusters = try await mesh.istioctl("proxy-config", "clusters", "deploy/productpage-v1.bookinfo")
                .checked()
            #expect(clusters.out.contains("reviews.bookinfo.svc.cluster.local"))
            #expect(clusters.out.contains("PassthroughCluster"))
            let json = try await mesh.istioctl(
                "proxy-config", "clusters", "deploy/productpage-v1", "-n", "bookinfo", "-o", "json"
            ).checked()
            #expect(json.out.contains("outbound|9080||reviews.bookinfo.svc.cluster.local"))
            let routes = try await mesh.istioctl("proxy-config", "routes", "deploy/productpage-v1.bookinfo").checked()
            #expect(routes.out.contains("reviews.bookinfo.svc.cluster.local:9080"))
            let listeners = try await mesh.istioctl("pc", "listeners", "deploy/productpage-v1.bookinfo").checked()
            #expect(listeners.out.contains("15001"))
            #expect(listeners.out.contains("15006"))
            let endpoints = try await mesh.istioctl("pc", "endpoints", "deploy/productpage-v1.bookinfo").checked()
            #expect(endpoints.out.contains("outbound|9080||reviews.bookinfo.svc.cluster.local"))
            let secrets = try await mesh.istioctl("pc", "secret", "deploy/productpage-v1.bookinfo").checked()
            #expect(secrets.out.contains("default"))
            #expect(secrets.out.contains("ROOTCA"))
            #expect(secrets.out.contains("ACTIVE"))
        }

        @Test func gatewayRouteIsShownWithItsVirtualService() async throws {
            let mesh = try await LocalMesh.shared()
            let routes = try await mesh.istioctl(
                "proxy-config", "routes", "deploy/istio-ingressgateway.istio-system"
            ).checked()
            #expect(routes.out.contains("http.8080"))
            #expect(routes.out.contains("bookinfo.bookinfo"))
        }

        @Test func dashboardShowsTheLiveEdges() async throws {
            let mesh = try await LocalMesh.shared()
            let edges = try await eventually("edges of Bookinfo") {
                _ = try await command([
                    "curl", "-s", "-o", "/dev/null", "http://127.0.0.1:\(mesh.httpPort)/productpage",
                ])
                let result = try await command(["curl", "-s", "http://127.0.0.1:\(mesh.dashboardPort)/api/edges"])
                // The proxies are scraped one after the other: an edge may come a round after the next one.
                let hasAll = ["istio-ingressgateway", "productpage", "details"].allSatisfy(result.out.contains)
                return hasAll ? result.out : nil
            }
            #expect(edges.contains("mutualTLSShare"))
            let page = try await command(["curl", "-s", "http://127.0.0.1:\(mesh.dashboardPort)/"])
            #expect(page.out.contains("<html"))
        }

        @Test func controlPlaneLogsCanBeRead() async throws {
            let mesh = try await LocalMesh.shared()
            let logs = try await mesh.kubectl("logs", "-n", "istio-system", "-l", "app=istiod", "--tail=50").checked()
            #expect(logs.out.split(separator: "\n").count > 3)
        }

        /// Whoever has just installed the mesh is told of no fault of its own.
        @Test func aFreshMeshHasNothingToAnalyze() async throws {
            let mesh = try await LocalMesh.shared()
            let result = try await mesh.istioctl("analyze", "-A")
            // Other suites' namespaces may have faults, which 79 says.
            #expect(result.status == 0 || result.status == 79, "\(result.err)")
            #expect(result.out.contains("No validation issues") || result.out.contains("[IST"), "\(result.out)")
            for place in [" istio-system/", " istio-system)", " bookinfo/", " bookinfo)"] {
                #expect(!result.out.contains(place), "\(result.out)")
            }
        }

        @Test func installedObjectsVerify() async throws {
            let mesh = try await LocalMesh.shared()
            let result = try await mesh.istioctl("verify-install").checked()
            #expect(result.out.contains("istio-ingressgateway"))
            let version = try await mesh.istioctl("version").checked()
            #expect(version.out.contains("control plane version"))
            #expect(version.out.contains("data plane version"))
        }
    }
}
