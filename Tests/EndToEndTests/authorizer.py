"""An authorization service of the mesh: `authorizer.py PORT`, ext_authz over gRPC.

Connections: the service account alice may connect. Requests: those with `x-ext-authz: allow` go on, with a header that
tells the workload who decided. Each question is a line on standard output.
"""
import pathlib
import sys
from concurrent import futures

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / ".build-python"))
import grpc
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc

PERMISSION_DENIED = 7


class Authorizer(external_auth_pb2_grpc.AuthorizationServicer):
    def Check(self, request, context):
        attributes = request.attributes
        http = attributes.request.http
        allowed = (
            http.headers.get("x-ext-authz") == "allow" if http.method
            else attributes.source.principal.endswith("/sa/alice"))
        print("http" if http.method else "tcp", attributes.source.principal, attributes.destination.principal,
              attributes.destination.address.socket_address.port_value, http.path,
              "allowed" if allowed else "denied", flush=True)
        answer = external_auth_pb2.CheckResponse()
        if allowed:
            added = answer.ok_response.headers.add()
            added.header.key, added.header.value = "x-decided-by", "authorizer"
        else:
            answer.status.code = PERMISSION_DENIED
            answer.denied_response.status.code = 403
            answer.denied_response.body = "the authorizer says no"
        return answer


server = grpc.server(futures.ThreadPoolExecutor(4))
external_auth_pb2_grpc.add_AuthorizationServicer_to_server(Authorizer(), server)
server.add_insecure_port(f"0.0.0.0:{sys.argv[1]}")
server.start()
server.wait_for_termination()
