"""A control plane of a few lines: incremental ADS for one or several proxies, resources set from Python.

Needs the packages that `dev/proto-compare.py` uses (`grpcio`, `xds-protos`), from `.build-python` or the system.
"""

import pathlib
import queue
import sys
import threading
import time
from concurrent import futures

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / ".build-python"))
import grpc  # noqa: E402
from envoy.config.cluster.v3 import cluster_pb2  # noqa: E402
from envoy.config.listener.v3 import listener_pb2  # noqa: E402
from envoy.config.route.v3 import route_pb2  # noqa: E402
from envoy.extensions.access_loggers.file.v3 import file_pb2  # noqa: E402,F401  (known to the JSON reader)
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: E402,F401  (known to the JSON reader)
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2  # noqa: E402,F401
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2  # noqa: E402,F401
from envoy.service.discovery.v3 import discovery_pb2  # noqa: E402
from google.protobuf import any_pb2, json_format  # noqa: E402

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
ROUTE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
MESSAGES = {CLUSTER: cluster_pb2.Cluster, LISTENER: listener_pb2.Listener, ROUTE: route_pb2.RouteConfiguration}


def pack(kind, value):
    """A resource from its JSON form, encoded once."""
    packed = any_pb2.Any(type_url=kind)
    packed.value = json_format.ParseDict(value, MESSAGES[kind]()).SerializeToString()
    return packed


class Stream:
    """One proxy's stream: what it asked for, and what waits to be sent."""

    def __init__(self):
        self.outbox = queue.Queue()
        self.names = {}

    def wants(self, kind, name):
        names = self.names.get(kind)
        return names is not None and (not names or "*" in names or name in names)


class Control:
    """Serves ``resources`` on 127.0.0.1:`port`; ``set`` pushes a change to every proxy that wants it."""

    def __init__(self, port):
        self.resources = {CLUSTER: {}, LISTENER: {}, ROUTE: {}}
        self.refusals = []
        self.acknowledged = {}
        self._versions = 0
        self._streams = []
        self._lock = threading.Lock()
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=[
            ("grpc.max_send_message_length", 64 << 20)])
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve, discovery_pb2.DeltaDiscoveryRequest.FromString,
            discovery_pb2.DeltaDiscoveryResponse.SerializeToString)
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
            "envoy.service.discovery.v3.AggregatedDiscoveryService", {"DeltaAggregatedResources": handler})])
        self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def stop(self):
        self._server.stop(grace=None).wait()

    def set(self, kind, name, packed):
        """Returns the moment of the push, in seconds of the monotonic clock."""
        with self._lock:
            self._versions += 1
            self.resources[kind][name] = (str(self._versions), packed)
            for stream in self._streams:
                if stream.wants(kind, name):
                    self._push(stream, kind, [name])
            return time.monotonic()

    def remove(self, kind, name):
        with self._lock:
            self._versions += 1
            del self.resources[kind][name]
            for stream in self._streams:
                if stream.wants(kind, name):
                    stream.outbox.put(discovery_pb2.DeltaDiscoveryResponse(
                        type_url=kind, nonce=str(self._versions), system_version_info=str(self._versions),
                        removed_resources=[name]))

    def _push(self, stream, kind, names):
        response = discovery_pb2.DeltaDiscoveryResponse(
            type_url=kind, nonce=str(self._versions), system_version_info=str(self._versions))
        for name in names:
            version, packed = self.resources[kind][name]
            response.resources.add(name=name, version=version).resource.CopyFrom(packed)
        stream.outbox.put(response)

    def _serve(self, requests, context):
        stream = Stream()
        with self._lock:
            self._streams.append(stream)
        threading.Thread(target=self._read, args=(stream, requests), daemon=True).start()
        while (response := stream.outbox.get()) is not None:
            yield response
        with self._lock:
            self._streams.remove(stream)

    def _read(self, stream, requests):
        try:
            for request in requests:
                self._take(stream, request)
        except grpc.RpcError:
            pass  # The proxy went away.
        stream.outbox.put(None)

    def _take(self, stream, request):
        kind = request.type_url
        if request.response_nonce:
            self.acknowledged[kind] = time.monotonic()
        if request.error_detail.message:
            self.refusals.append(request.error_detail.message)
        with self._lock:
            known = stream.names.get(kind)
            isNew = known is None
            names = stream.names.setdefault(kind, set())
            names.update(request.resource_names_subscribe)
            names.difference_update(request.resource_names_unsubscribe)
            if kind not in self.resources or not (isNew or request.resource_names_subscribe):
                return
            wanted = [name for name in self.resources[kind]
                      if (isNew and stream.wants(kind, name)) or name in request.resource_names_subscribe]
            self._push(stream, kind, wanted)
