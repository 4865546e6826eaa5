#!/usr/bin/env python3
"""The gRPC services that the differential tests put behind both proxies: authorization, rate limits, processing.

`services.py PORT`. What a service does is told by the request itself: a list of steps separated by `;`, in the header
`x-authz` or `x-proc`, or in the value of a descriptor entry `do`. With the step `see` a service tells the upstream what
it was shown, in the header `x-seen`.
"""
import json, pathlib, sys, time
from concurrent import futures

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / ".build-python"))
import grpc
from envoy.config.core.v3 import base_pb2
from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc
from envoy.service.ext_proc.v3 import external_processor_pb2, external_processor_pb2_grpc
from envoy.service.ratelimit.v3 import rls_pb2, rls_pb2_grpc


def steps(text):
    """`a=b:c;d` as [("a", "b:c"), ("d", "")]."""
    for step in filter(None, (text or "").split(";")):
        name, _, value = step.partition("=")
        yield name, value


def option(text, append=None, action=None):
    name, _, value = text[1:].partition(":")
    name = text[:1] + name  # Pseudo headers begin with a colon.
    made = base_pb2.HeaderValueOption()
    made.header.key = name
    made.header.value = value
    if append is not None:
        made.append.value = append
    if action is not None:
        made.append_action = action
    return made


ACTIONS = {"add": 0, "absent": 1, "overwrite": 2, "existing": 3}
# Names whose values differ between two runs, or between two proxies by construction.
CHANCE = {"x-request-id", "x-envoy-expected-rq-timeout-ms", "x-id", "x-authz", "x-proc"}


def shown(pairs):
    return sorted(f"{name}={'*' if name in CHANCE else value}" for name, value in pairs)


class Authorization(external_auth_pb2_grpc.AuthorizationServicer):
    def Check(self, request, context):
        attributes = request.attributes
        http = attributes.request.http
        pairs = list(http.headers.items())
        pairs += [(field.key, field.value or field.raw_value.decode()) for field in http.header_map.headers]
        answer = external_auth_pb2.CheckResponse()
        ok, denied, code = answer.ok_response, external_auth_pb2.DeniedHttpResponse(), 0
        for name, value in steps(dict(pairs).get("x-authz")):
            if name == "see":
                ok.headers.append(option("x-seen:" + self.describe(attributes, http, pairs), append=False))
            elif name == "deny":
                code = 7
            elif name == "status":
                denied.status.code = int(value)
            elif name == "body":
                denied.body = value
            elif name == "header":
                denied.headers.append(option(value, append=False))
            elif name == "header-add":
                denied.headers.append(option(value, append=True))
            elif name == "header-plain":
                denied.headers.append(option(value))
            elif name == "set":
                ok.headers.append(option(value, append=False))
            elif name == "append":
                ok.headers.append(option(value, append=True))
            elif name == "plain":
                ok.headers.append(option(value))
            elif name in ACTIONS:
                ok.headers.append(option(value, action=ACTIONS[name]))
            elif name == "remove":
                ok.headers_to_remove.append(value)
            elif name == "response":
                ok.response_headers_to_add.append(option(value, append=False))
            elif name == "response-add":
                ok.response_headers_to_add.append(option(value, append=True))
            elif name == "response-plain":
                ok.response_headers_to_add.append(option(value))
            elif name == "query":
                key, _, text = value.partition(":")
                ok.query_parameters_to_set.add(key=key, value=text)
            elif name == "unquery":
                ok.query_parameters_to_remove.append(value)
            elif name == "error":
                code = -1
            elif name == "fail":
                context.abort(grpc.StatusCode.INTERNAL, "told to fail")
            elif name == "sleep":
                time.sleep(float(value))
        answer.status.code = abs(code)
        if code == 7:
            answer.denied_response.CopyFrom(denied)
        elif code == -1:
            answer.error_response.CopyFrom(denied)
        return answer

    @staticmethod
    def describe(attributes, http, pairs):
        return json.dumps({
            "method": http.method, "path": http.path, "host": http.host, "scheme": http.scheme,
            "protocol": http.protocol, "size": http.size, "body": http.body, "raw": http.raw_body.decode(),
            "headers": shown(pairs), "extensions": dict(attributes.context_extensions),
            "source": attributes.source.address.socket_address.address,
            "destination": attributes.destination.address.socket_address.address,
            "time": attributes.request.HasField("time"),
        }, sort_keys=True)


class RateLimits(rls_pb2_grpc.RateLimitServiceServicer):
    def ShouldRateLimit(self, request, context):
        answer = rls_pb2.RateLimitResponse(overall_code=rls_pb2.RateLimitResponse.OK)
        entries = [[(entry.key, entry.value) for entry in one.entries] for one in request.descriptors]
        told = dict(sum(entries, [])).get("do")
        for name, value in steps(told):
            if name == "see":
                text = json.dumps([request.domain, request.hits_addend, entries, [d.hits_addend.value for d in request.descriptors]])
                answer.request_headers_to_add.add(key="x-seen", value=text)
            elif name == "over":
                answer.overall_code = rls_pb2.RateLimitResponse.OVER_LIMIT
            elif name == "unknown":
                answer.overall_code = rls_pb2.RateLimitResponse.UNKNOWN
            elif name == "response":
                key, _, text = value.partition(":")
                answer.response_headers_to_add.add(key=key, value=text)
            elif name == "body":
                answer.raw_body = value.encode()
            elif name == "limit":
                requests, unit, remaining, reset = value.split(",")
                status = answer.statuses.add(limit_remaining=int(remaining))
                status.current_limit.requests_per_unit = int(requests)
                status.current_limit.unit = rls_pb2.RateLimitResponse.RateLimit.Unit.Value(unit)
                status.duration_until_reset.seconds = int(reset)
            elif name == "fail":
                context.abort(grpc.StatusCode.INTERNAL, "told to fail")
            elif name == "sleep":
                time.sleep(float(value))
        return answer


class Processor(external_processor_pb2_grpc.ExternalProcessorServicer):
    def Process(self, messages, context):
        told = {}
        for message in messages:
            kind = message.WhichOneof("request")
            part = getattr(message, kind)
            if kind == "request_headers":
                pairs = [(field.key, field.value or field.raw_value.decode()) for field in part.headers.headers]
                told = list(steps(dict(pairs).get("x-proc")))
            elif kind == "response_headers":
                pairs = [(field.key, field.value or field.raw_value.decode()) for field in part.headers.headers]
            answer = self.answer(kind, part, told, context, message)
            if answer is not None:
                for field in self.options(answer):
                    # Processors speak in bytes.
                    field.header.raw_value = field.header.raw_value or field.header.value.encode()
                    field.header.value = ""
                yield answer

    @staticmethod
    def options(answer):
        if answer.HasField("immediate_response"):
            return list(answer.immediate_response.headers.set_headers)
        inner = getattr(answer, answer.WhichOneof("response"))
        common = inner if hasattr(inner, "header_mutation") else inner.response
        return list(common.header_mutation.set_headers)

    def answer(self, kind, part, told, context, message):
        """Steps are `KIND-VERB=VALUE`, KIND one of q (request headers), qb, qt, p (response headers), pb, pt."""
        short = {"request_headers": "q", "request_body": "qb", "request_trailers": "qt", "response_headers": "p",
                 "response_body": "pb", "response_trailers": "pt"}[kind]
        answer = external_processor_pb2.ProcessingResponse()
        inner = getattr(answer, kind)
        inner.SetInParent()
        common = inner if kind.endswith("trailers") else inner.response
        for name, value in told:
            which, _, verb = name.partition("-")
            if which != short:
                continue
            if verb == "set":
                common.header_mutation.set_headers.append(option(value, append=False))
            elif verb == "add":
                common.header_mutation.set_headers.append(option(value, append=True))
            elif verb == "remove":
                common.header_mutation.remove_headers.append(value)
            elif verb == "body":
                common.body_mutation.body = value.encode()
            elif verb == "upper":
                # The same whatever the pieces are.
                common.body_mutation.body = part.body.upper()
            elif verb == "replace":
                common.status = external_processor_pb2.CommonResponse.CONTINUE_AND_REPLACE
                common.body_mutation.body = value.encode()
            elif verb == "clear":
                common.body_mutation.clear_body = True
            elif verb == "route":
                common.clear_route_cache = True
            elif verb == "see":
                if kind.endswith("headers"):
                    pairs = [(field.key, field.value or field.raw_value.decode()) for field in part.headers.headers]
                    text = json.dumps([shown(pairs), part.end_of_stream])
                elif kind.endswith("trailers"):
                    pairs = [(field.key, field.value or field.raw_value.decode()) for field in part.trailers.headers]
                    text = json.dumps(shown(pairs))
                else:
                    text = json.dumps([part.body.decode(), part.end_of_stream])
                common.header_mutation.set_headers.append(option("x-seen-" + short + ":" + text, append=False))
            elif verb == "attributes":
                fields = {name: str(value) for space in message.attributes.values() for name, value in space.items()}
                text = json.dumps([sorted(message.attributes), fields], sort_keys=True)
                common.header_mutation.set_headers.append(option("x-attributes-" + short + ":" + text, append=False))
            elif verb == "metadata":
                told_of = {name: dict(space.items()) for name, space in message.metadata_context.filter_metadata.items()}
                text = json.dumps(told_of, sort_keys=True)
                common.header_mutation.set_headers.append(option("x-metadata-" + short + ":" + text, append=False))
            elif verb == "tell":
                space, name, text = value.split(":")
                answer.dynamic_metadata.get_or_create_struct(space)[name] = text
            elif verb == "mode":
                for field in value.split(","):
                    key, _, text = field.partition(":")
                    enum = "HeaderSendMode" if "header" in key else "BodySendMode"
                    mode = getattr(processing_mode_pb2.ProcessingMode, enum).Value(text)
                    setattr(answer.mode_override, key, mode)
            elif verb == "immediate":
                status, _, text = value.partition(":")
                answer.immediate_response.status.code = int(status)
                answer.immediate_response.body = text.encode()
                answer.immediate_response.details = "told to"
                answer.immediate_response.headers.set_headers.append(option("x-immediate:yes", append=False))
            elif verb == "fail":
                context.abort(grpc.StatusCode.INTERNAL, "told to fail")
            elif verb == "end":
                context.abort(grpc.StatusCode.OK, "")
            elif verb == "wrong":
                answer.response_body.SetInParent()
            elif verb == "hang":
                time.sleep(float(value))
        return answer


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    external_auth_pb2_grpc.add_AuthorizationServicer_to_server(Authorization(), server)
    rls_pb2_grpc.add_RateLimitServiceServicer_to_server(RateLimits(), server)
    external_processor_pb2_grpc.add_ExternalProcessorServicer_to_server(Processor(), server)
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    server.wait_for_termination()


main()
