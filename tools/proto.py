"""Makes the Python messages of `inference.proto`; with `--check` says whether they are in step.

protoc's own default is one pool of names for the whole process, where another package with the same protocol, such as
Triton's client, would clash with ours: ours get a pool of their own.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "argosy/serving/protocols/proto"
SHARED, OWN = "_descriptor_pool.Default()", "_descriptor_pool.DescriptorPool()"


def render() -> dict[str, str]:
    """Return the generated files by name."""
    with tempfile.TemporaryDirectory() as folder:
        out = [f"--python_out={folder}", f"--pyi_out={folder}"]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{FOLDER}", *out, "inference.proto"]
        subprocess.run(command, check=True)  # noqa: S603 - nothing of it is given from outside
        made = {path.name: path.read_text() for path in Path(folder).iterdir()}
    source = made["inference_pb2.py"]
    if source.count(SHARED) != 1:
        raise SystemExit("protoc writes something else than it did; look at tools/proto.py")
    return made | {"inference_pb2.py": source.replace(SHARED, OWN)}


def main() -> int:
    """Write the files, or check them."""
    made = render()
    if "--check" in sys.argv:
        if all((FOLDER / name).exists() and (FOLDER / name).read_text() == text for name, text in made.items()):
            return 0
        sys.stderr.write("the messages of inference.proto are not in step: python -m tools.proto\n")
        return 1
    for name, text in made.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
