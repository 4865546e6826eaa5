"""A gRPC client that has its configuration by xDS, and the backends that it may reach.

proxyless.py backend NAME          serves /echo.Echo/Name on a free port of 127.0.0.1, prints the port
proxyless.py serve NAME ADDRESS    the same at an address, as an xDS server: TLS and access rules come by xDS
proxyless.py call TARGET N [K=V]   calls it N times over xds:/// with a header, prints a JSON object of answers
proxyless.py secure TARGET N [K=V] the same with TLS as xDS says, and without waiting for a server that is not there
proxyless.py insecure TARGET N     the same in plain text whatever xDS says
"""
import collections
import json
import sys
from concurrent import futures

import grpc
import grpc.experimental

METHOD = "/echo.Echo/Name"


class Backend(grpc.GenericRpcHandler):
    def __init__(self, name):
        self.name = name.encode()

    def service(self, details):
        if details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self.name)


def backend(name):
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Backend(name)])
    print(server.add_insecure_port("0.0.0.0:0"), flush=True)
    server.start()
    server.wait_for_termination()


def serve(name, address):
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Backend(name)], xds=True)
    server.add_secure_port(address, grpc.xds_server_credentials(grpc.insecure_server_credentials()))
    server.start()
    server.wait_for_termination()


def call(how, target, count, headers):
    answers = collections.Counter()
    target = "xds:///" + target
    if how == "secure":
        credentials = grpc.xds_channel_credentials(grpc.experimental.insecure_channel_credentials())
        opened = grpc.secure_channel(target, credentials)
    else:
        opened = grpc.insecure_channel(target)
    with opened as channel:
        method = channel.unary_unary(METHOD)
        for _ in range(count):
            try:
                answers[method(b"", metadata=headers, timeout=20, wait_for_ready=how == "call").decode()] += 1
            except grpc.RpcError as error:
                answers[error.code().name] += 1
    print(json.dumps(answers))


if sys.argv[1] == "backend":
    backend(sys.argv[2])
elif sys.argv[1] == "serve":
    serve(sys.argv[2], sys.argv[3])
else:
    fields = [tuple(pair.split("=", 1)) for pair in sys.argv[4:]]
    call(sys.argv[1], sys.argv[2], int(sys.argv[3]), fields)
