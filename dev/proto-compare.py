#!/usr/bin/env python3
"""Compares our reduced .proto files with the published descriptors: PyPI's xds-protos (and googleapis inside it).

Every message, field (number, type, label, oneof), enum value and service method of ours must be there and be the same.
Prints each difference and exits 1. Needs protoc and pip; installs into .build-python.
An argument names another folder of .proto files to compare: a test gives it one with mistakes.
"""
import importlib, os, pathlib, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROTOS = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "Sources/WeftProto/Protos"
PACKAGES = ["xds-protos==1.85.0"]
# Not in any published Python package; why each may differ from what is compared here.
OWN = {
    "istio.v1.auth": "Istio publishes no Python descriptors; three fields and one method, tested against the CA itself",
    "istio.networking.nds.v1": "Istio publishes no Python descriptors; one message of a map",
    "weft.v1": "our own filters, which nobody else reads",
    "opentelemetry.proto": "one file for what OTLP spreads over four packages; message names never travel",
}


def published():
    """Installs the published descriptors once and puts them on the path."""
    target = ROOT / ".build-python"
    if not (target / "envoy").is_dir():
        print("installing", *PACKAGES, flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
        subprocess.run([*pip, "--target", str(target), *PACKAGES], check=True)
    sys.path.insert(0, str(target))
    from google.protobuf import descriptor_pool

    files = [file for pattern in ("envoy/**/*_pb2.py", "xds/**/*_pb2.py") for file in sorted(target.glob(pattern))]
    for file in files + sorted(target.glob("google/rpc/status_pb2.py")):
        try:
            importlib.import_module(str(file.relative_to(target))[:-3].replace("/", "."))
        except Exception:  # A file whose imports are not packaged; what we use of it would be reported as missing.
            pass
    return descriptor_pool.Default()


def ours():
    """Our files, compiled by protoc into a pool of their own."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    files = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "set")
        command = ["protoc", f"--proto_path={PROTOS}", "--include_imports", f"--descriptor_set_out={out}", *files]
        subprocess.run(command, check=True)
        with open(out, "rb") as stream:
            data = descriptor_pb2.FileDescriptorSet.FromString(stream.read())
    pool = descriptor_pool.DescriptorPool()
    for file in data.file:
        pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return [pool.FindFileByName(name) for name in files]


def shape(field):
    """What a field looks like on the wire and in JSON."""
    named = field.message_type or field.enum_type
    oneof = field.containing_oneof.name if field.containing_oneof else None
    return (field.number, field.type, field.is_repeated, named.full_name if named else None, oneof, field.json_name)


def compare_message(mine, pool, problems):
    try:
        theirs = pool.FindMessageTypeByName(mine.full_name)
    except KeyError:
        problems.append(f"{mine.full_name}: no such message")
        return 0
    count = len(mine.fields)
    for field in mine.fields:
        other = theirs.fields_by_name.get(field.name)
        if other is None:
            problems.append(f"{field.full_name}: no such field")
        elif shape(field) != shape(other):
            problems.append(f"{field.full_name}: ours is {shape(field)}, published is {shape(other)}")
    for nested in mine.nested_types:
        count += compare_message(nested, pool, problems)
    for enum in mine.enum_types:
        compare_enum(enum, pool, problems)
    return count


def compare_enum(mine, pool, problems):
    try:
        theirs = pool.FindEnumTypeByName(mine.full_name)
    except KeyError:
        problems.append(f"{mine.full_name}: no such enum")
        return
    for value in mine.values:
        other = theirs.values_by_name.get(value.name)
        if other is None or other.number != value.number:
            problems.append(f"{mine.full_name}.{value.name} = {value.number}: not the published value")


def compare_service(mine, pool, problems):
    try:
        theirs = pool.FindServiceByName(mine.full_name)
    except KeyError:
        problems.append(f"{mine.full_name}: no such service")
        return

    def call(method):
        return (method.input_type.full_name, method.output_type.full_name, method.client_streaming, method.server_streaming)

    for method in mine.methods:
        other = theirs.methods_by_name.get(method.name)
        if other is None or call(method) != call(other):
            problems.append(f"{method.full_name}: not the published method")


def main():
    pool = published()
    problems, messages, fields = [], 0, 0
    for file in ours():
        if file.package in OWN:
            continue
        for message in file.message_types_by_name.values():
            messages += 1
            fields += compare_message(message, pool, problems)
        for enum in file.enum_types_by_name.values():
            compare_enum(enum, pool, problems)
        for service in file.services_by_name.values():
            compare_service(service, pool, problems)
    for problem in problems:
        print("proto-compare:", problem, file=sys.stderr)
    print(f"proto-compare: {messages} messages, {fields} fields compared, {len(problems)} differences")
    if messages < 100:
        sys.exit("proto-compare: too few messages; the comparison did not run")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
