"""Other work on the machine while it is measured: compilers, which displace what the caches hold."""

import contextlib
import pathlib
import subprocess
import tempfile
import threading

# Stands for a translation unit of a real build: many headers, a few hundred functions.
HEADERS = ["stdio.h", "stdlib.h", "string.h", "math.h", "time.h", "signal.h", "pthread.h", "sys/socket.h", "netinet/in.h"]
FUNCTION = """
double work_{0}(double *values, int count) {{
    double sum = {0};
    for (int index = 0; index < count; index++)
        for (int inner = index; inner < count; inner++) sum += sin(values[index] * {0}) / (1 + values[inner]);
    if (sum > 1e9) {{ char text[64]; snprintf(text, sizeof text, "%f", sum); return strlen(text) + atof(text); }}
    return sum;
}}
"""


@contextlib.contextmanager
def beside(count):
    """`count` compilers, each starting anew when it is done, until the block ends."""
    over = threading.Event()
    with tempfile.TemporaryDirectory(prefix="weft-neighbours-") as directory:
        source = pathlib.Path(directory) / "unit.c"
        source.write_text("".join(f"#include <{header}>\n" for header in HEADERS)
                          + "".join(FUNCTION.format(number) for number in range(300)))

        def compile_until_over():
            while not over.is_set():
                subprocess.run(["cc", "-O2", "-c", "-o", "/dev/null", str(source)], check=True)

        workers = [threading.Thread(target=compile_until_over) for _ in range(count)]
        for worker in workers:
            worker.start()
        try:
            yield
        finally:
            over.set()
            for worker in workers:
                worker.join()
