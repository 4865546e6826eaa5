"""Envoy bootstraps as dictionaries: the same file starts Envoy and weft-proxy."""

import json

TYPE = "type.googleapis.com/envoy"
HCM = f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
HTTP_OPTIONS = f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions"


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def router():
    return {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router"}}


def rbac(principal):
    """Allows one SPIFFE identity, as an authorization policy would."""
    rules = {"action": "ALLOW", "policies": {"caller": {
        "permissions": [{"any": True}],
        "principals": [{"authenticated": {"principal_name": {"exact": principal}}}]}}}
    return {"name": "envoy.filters.http.rbac", "typed_config": {"@type": f"{TYPE}.extensions.filters.http.rbac.v3.RBAC", "rules": rules}}


def istio_metrics(reporter):
    """Weft's filter for Istio's standard metrics; `reporter` is SOURCE or DESTINATION."""
    return {"name": "istio.stats", "typed_config": {"@type": "type.googleapis.com/weft.v1.Stats", "reporter": reporter}}


def one_route(cluster):
    return {"name": "local", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
        {"match": {"prefix": "/"}, "route": {"cluster": cluster}}]}]}


def manager(routes, filters=(), **more):
    config = {"@type": HCM, "stat_prefix": "bench", "http_filters": [*filters, router()], **more}
    config["rds" if "config_source" in routes else "route_config"] = routes
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}


def tcp_proxy(cluster):
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": {
        "@type": f"{TYPE}.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "bench", "cluster": cluster}}


def listener(port, network_filter, tls=None):
    chain = {"filters": [network_filter]}
    if tls:
        chain["transport_socket"] = tls
    return {"name": f"listener_{port}", "address": address(port), "filter_chains": [chain]}


def cluster(name, port, http2=False, tls=None):
    result = {"name": name, "type": "STATIC", "connect_timeout": "5s", "load_assignment": {"cluster_name": name, "endpoints": [
        {"lb_endpoints": [{"endpoint": {"address": address(port)}}]}]}}
    if http2:
        result["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": HTTP_OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}}
    # The default of 1,024 would refuse a part of the load of some rows.
    limits = {"priority": "DEFAULT", "max_connections": 20000, "max_pending_requests": 20000, "max_requests": 20000}
    result["circuit_breakers"] = {"thresholds": [limits]}
    if tls:
        result["transport_socket"] = tls
    return result


def of_service(cluster, name):
    """What Istio writes about a cluster's service, for the labels of its metrics."""
    service = {"host": f"{name}.bench.svc.cluster.local", "name": name, "namespace": "bench"}
    return {**cluster, "metadata": {"filter_metadata": {"istio": {"services": [service]}}}}


def with_size_histograms(cluster):
    """The nearest that Envoy alone has to Istio's metrics: histograms of sizes and time budgets per cluster."""
    return {**cluster, "track_cluster_stats": {"timeout_budgets": True, "request_response_sizes": True}}


def _common(name, alpn):
    return {
        "alpn_protocols": alpn,
        "tls_certificate_sds_secret_configs": [{"name": name}],
        "validation_context_sds_secret_config": {"name": "trust"}}


def secrets(certificates):
    """Certificates as static secrets, which is what both proxies read."""
    def text(name):
        return {"inline_string": (certificates / name).read_text()}

    return [
        *({"name": name, "tls_certificate": {"certificate_chain": text(f"{name}.crt"), "private_key": text(f"{name}.key")}}
          for name in ("server", "client")),
        {"name": "trust", "validation_context": {"trusted_ca": text("ca.crt")}}]


def server_tls(alpn=("http/1.1",)):
    return {"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": f"{TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True, "common_tls_context": _common("server", list(alpn))}}


def client_tls(alpn=("http/1.1",)):
    return {"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": f"{TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": "server.bench", "common_tls_context": _common("client", list(alpn))}}


def bootstrap(listeners, clusters, certificates=None):
    result = {
        "node": {"id": "bench", "cluster": "bench"},
        "static_resources": {"listeners": listeners, "clusters": clusters}}
    if certificates:
        result["static_resources"]["secrets"] = secrets(certificates)
    return result


def many(count, port, backend):
    """`count` virtual hosts with a route each, to `count` clusters."""
    hosts = [{"name": f"host-{index}", "domains": [f"service-{index}.bench.svc.cluster.local"], "routes": [
        {"match": {"prefix": "/"}, "route": {"cluster": f"outbound-{index}"}}]} for index in range(count)]
    hosts.append({"name": "rest", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "backend"}}]})
    clusters = [cluster(f"outbound-{index}", backend) for index in range(count)]
    routes = {"name": "local", "virtual_hosts": hosts}
    return bootstrap([listener(port, manager(routes))], [*clusters, cluster("backend", backend)])


def write(path, value):
    path.write_text(json.dumps(value))
    return path
