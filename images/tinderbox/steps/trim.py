"""Cut from an installed venv what neither a driver nor an executor uses; each cut has its reason.

Byte code stays: without it `import tensorflow` takes twice the time.
"""

import filecmp
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

UNUSED = {
    "grpc": "TensorBoard's remote calls; what goes with its record, as this does, pip brings back for who needs it",
    "grpcio-*": "the same",
    "sqlalchemy": "Optuna's studies in a database: ours are in the record",
    "sqlalchemy-*": "the same",
    "alembic": "changes of that database",
    "alembic-*": "the same",
    "mako": "templates of alembic's",
    "mako-*": "the same",
    "pygments": "colours for the text of programs, which nothing here prints",
    "pygments-*": "the same",
    "clang": "reads C headers; TensorFlow names it as a requirement and never imports it",
    "libclang-*": "the same",
    "tensorflow/include": "C++ headers, to compile operations of one's own",
    "tensorflow/xla_aot_runtime_src": "C++ sources, to compile a model ahead of time",
    "tensorflow/compiler/tf2xla/ops/_xla_ops.so": "XLA's operations by their names, for converters of JAX's models",
    "tensorflow/compiler/mlir/stablehlo/stablehlo_extension.so": "only converts models for other frameworks",
    "tensorflow/python/framework/lib_native_proto_caster.so": "for other C++ extensions: no library here links to it",
    "keras/src/backend/jax": "Keras on another framework, which is not here",
    "keras/src/backend/openvino": "the same",
    "keras/src/backend/torch": "the same",
    "pyarrow/include": "C++ headers",
    "pyarrow/libarrow_flight.so*": "a network protocol that neither Spark nor pandas speaks",
    "pyarrow/libarrow_python_flight.so*": "the same",
    "pyarrow/_flight.*": "the same",
    "pyarrow/_s3fs.*": "Arrow's own way to S3: fsspec is ours",
    "pyarrow/libarrow_s3.so*": "the same",
    "pyspark/jars/connect-repl": "Spark Connect's Scala shell",
    "pyspark/jars/spark-repl_*.jar": "the Scala shell",
    "pyspark/jars/scala-compiler-*.jar": "the same",
    "pyspark/jars/jline-*.jar": "the same",
    "pyspark/jars/curator-*.jar": "several masters of a Spark without Kubernetes",
    "pyspark/jars/zookeeper-*.jar": "the same",
    "pyspark/jars/leveldbjni-*.jar": "an older store of the history server's",
    "pillow.libs/libavif-*": "AVIF, which TensorFlow does not read either",
    "PIL/_avif.*": "the same",
    "pip/**/__pycache__": "pip runs where an image is built, and may take a second more",
    "setuptools/**/__pycache__": "the same",
    "joblib/test": "tests",
    "h5py/tests": "tests",
    "matplotlib/mpl-data/sample_data": "data of examples",
    "pyspark/jars/spark-connect_*.jar": "Spark Connect's server: Tinderbox has drivers",
    "pyspark/examples": "examples",
    "pyspark/data": "their data",
    "pyspark/jars/*-osx-*": "native code of another system",
    "pyspark/jars/*-windows-*": "native code of another system",
    "plotly/labextension": "for JupyterLab before version 4",
    "plotly/package_data/widgetbundle.js": "figures that a notebook changes",
    "../../../share/jupyter": "plotly's part of a JupyterLab, which is not here",
    "optuna_dashboard/public/bundle.js": "for browsers that do not take the packed one beside it: there are none",
    "tzdata": "time zones, which the system has; Python looks there first",
    "tzdata-*": "the same",
    "kubernetes/aio": "the client again, for asyncio",
}
# For those who have a metastore of Hive: EXTRA_JARS=org.apache.spark:spark-hive_2.13:... brings it back.
HIVE = ["spark-hive", "hive-[!s]", "hive-se", "hive-shims", "libthrift", "datanucleus", "derby", "javax.jdo", "jdo-api"]
UNUSED |= {f"pyspark/jars/{name}*.jar": "for Hive's metastore" for name in [*HIVE, "ST4", "antlr-runtime"]}
# matplotlib embeds fonts with fontTools, and its parts that read and write other formats of fonts are not asked.
FORMATS = ["cu2qu", "diff", "merge", "mtiLib", "qu2cu", "svgLib", "t1Lib", "ufoLib", "voltLib"]
UNUSED |= {f"fontTools/{name}": "for makers of fonts" for name in FORMATS}
SOURCES = {".c", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyx"}
TESTED = ("kubernetes", "matplotlib", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "pyspark")
NETTY = {"x86_64": "x86_64", "aarch64": "aarch_64"}
# Jars with native code for a dozen systems, and what this one is called in each.
NATIVE = {
    "rocksdbjni": {"x86_64": "librocksdbjni-linux64.so", "aarch64": "librocksdbjni-linux-aarch64.so"},
    "zstd-jni": {"x86_64": "linux/amd64/", "aarch64": "linux/aarch64/"},
    "snappy-java": {"x86_64": "native/Linux/x86_64/", "aarch64": "native/Linux/aarch64/"},
}
LIBRARY = re.compile(r".*\.(so|dll|dylib|jnilib|a)")


def trim(packages: Path) -> None:
    """Cut all of it."""
    for path in unused(packages):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, systems in NATIVE.items():
        (jar,) = packages.glob(f"pyspark/jars/{name}-*.jar")
        keep_native(jar, systems[platform.machine()])
    one_arrow(packages)
    one_of_each(packages)
    strip(packages)


def unused(packages: Path) -> Iterator[Path]:
    """The files and folders that go as a whole; one that is not there is a cut that has lost its reason."""
    for pattern in UNUSED:
        found = sorted(packages.glob(pattern))
        if not found:
            raise SystemExit(f"trim.py cuts {pattern}, and there is no such file any more")
        yield from found
    for path in packages.glob("pyspark/jars/netty-*-linux-*.jar"):
        if not path.stem.endswith(NETTY[platform.machine()]):
            yield path
    for name in TESTED:
        yield from [path for path in packages.glob(f"{name}/**/tests") if path.is_dir()]
    yield from [path for path in packages.rglob("*.*") if path.suffix in SOURCES]


def keep_native(jar: Path, mine: str) -> None:
    """Keep this machine's native code in a jar, and nobody else's."""
    small = jar.with_suffix(".small")
    with zipfile.ZipFile(jar) as whole, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as part:
        for entry in whole.infolist():
            if mine in entry.filename or not LIBRARY.fullmatch(entry.filename):
                part.writestr(entry, whole.read(entry))
    small.replace(jar)


def one_arrow(packages: Path) -> None:
    """Make links of what the wheel, which cannot hold links, has three times."""
    longest = max(packages.glob("pyarrow/libarrow_python.so*"), key=lambda path: len(path.name))
    for path in packages.glob("pyarrow/libarrow_python.so*"):
        if path != longest:
            path.unlink()
            path.symlink_to(longest.name)


def one_of_each(packages: Path) -> None:
    """Make links of libraries that several wheels bring; their names hold a part of their digest."""
    kept: dict[str, Path] = {}
    for path in sorted(packages.glob("*.libs/*")):
        first = kept.setdefault(path.name, path)
        if first is not path and filecmp.cmp(first, path, shallow=False):
            path.unlink()
            path.symlink_to(f"../{first.parent.name}/{first.name}")


def strip(packages: Path) -> None:
    """Remove symbols that only a debugger reads. What wheels bring in a folder *.libs was patched: strip breaks it."""
    libraries = [path for path in packages.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    own = [str(path) for path in libraries if not path.parent.name.endswith(".libs")]
    subprocess.run(["strip", "--strip-unneeded", *own], check=True)  # noqa: S603, S607


if __name__ == "__main__":
    trim(Path(sys.argv[1]).resolve())
