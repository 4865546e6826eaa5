"""A gRPC client that has its configuration by xDS, and the backends that it may reach.

proxyless.py backend NAME        serves /echo.Echo/Name on a free port of 127.0.0.1, prints the port
proxyless.py call TARGET N [K=V] calls it N times over xds:/// with a header, prints a JSON object of answers
"""
import collections
import json
import sys
from concurrent import futures

import grpc

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
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def call(target, count, headers):
    answers = collections.Counter()
    with grpc.insecure_channel("xds:///" + target) as channel:
        method = channel.unary_unary(METHOD)
        for _ in range(count):
            try:
                answers[method(b"", metadata=headers, timeout=20, wait_for_ready=True).decode()] += 1
            except grpc.RpcError as error:
                answers[error.code().name] += 1
    print(json.dumps(answers))


if sys.argv[1] == "backend":
    backend(sys.argv[2])
else:
    call(sys.argv[2], int(sys.argv[3]), [tuple(pair.split("=", 1)) for pair in sys.argv[4:]])
