"""What looking at a large run costs: seconds of pages, and the peak memory of the server.

    python benchmarks/viewer.py [--examples 20000,200000] [--images 500]

Two runs of VQA questions with pictures, four groups and ten references each, answered by "red" and by nothing.
``evalsuite view`` serves both in a process of its own; the pages are asked for one after the other as a browser
does, each with all its pictures.
"""

from __future__ import annotations

import argparse
import html
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.overhead import write_task  # noqa: E402


def make_run(folder: Path, name: str, out: str, *options: str) -> None:
    command = [sys.executable, "-m", "evalsuite", "run", "--backend", "echo", "--tasks", name, "--data", "files"]
    command += ["--specs", str(folder / "specs"), "--data-dir", str(folder / "data"), "--out", str(folder / out)]
    done = subprocess.run([*command, "--quiet", *options], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)


def ask(address: str) -> str:
    with urllib.request.urlopen(address, timeout=600) as answer:
        return answer.read().decode()


def pictures_of(url: str, body: str) -> None:
    """All pictures of a page, six at a time as browsers ask."""
    places = [url + html.unescape(found)[1:] for found in re.findall(r'data-address="([^"]+)"', body)]
    with ThreadPoolExecutor(6) as pool:
        for picture in pool.map(ask, places):
            if "data:image/jpeg" not in picture:
                sys.exit(f"no picture: {picture}")


def peak_megabytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def look(folder: Path, name: str, examples: int) -> None:
    """Start the command and time its pages."""
    command = [sys.executable, "-m", "evalsuite", "view", str(folder / f"{name}-a"), str(folder / f"{name}-b")]
    begin = time.perf_counter()
    server = subprocess.Popen(
        [*command, "--specs", str(folder / "specs"), "--no-browser"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        url = server.stdout.readline().split(" ")[0]
        print(f"{examples:,} examples\n  {'the address is there':<44} {time.perf_counter() - begin:6.2f} s")
        last = examples // 24
        pages = {
            "summary": "",
            "first page, before its scores are known": "page=0",
            "last page, before its scores are known": f"page={last}",
            "scores of both runs are known": None,
            "first page": "page=0",
            "second page": "page=1",
            "page in the middle": f"page={last // 2}",
            "last page": f"page={last}",
            "the page before": f"page={last - 1}",
            "lowest scores, last page": f"sort=lowest&page={last}",
            "one group, score at least 50": "stratum=type%3Dt1&low=50",
            "changed between the runs": "show=changed",
            "search for a text": "text=object+77",
        }
        for what, query in pages.items():
            begin = time.perf_counter()
            place = f"task={name}&split=test"
            body = ask(url if query == "" else f"{url}examples?{place}&{query}" if query else f"{url}ready?{place}")
            page = time.perf_counter() - begin
            begin = time.perf_counter()
            pictures_of(url, body)
            pictures = f", its pictures {time.perf_counter() - begin:6.2f} s" if query else ""
            print(f"  {what:<44} {page:6.2f} s{pictures}")
        print(f"  {'peak memory':<44} {peak_megabytes(server.pid):6.0f} MB")
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", default="20000,200000", help="sizes, to show that memory stays flat")
    parser.add_argument("--images", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for examples in map(int, given.examples.split(",")):
            name = f"vqa_{examples}"
            write_task(folder, name, examples, image_files=given.images)
            make_run(folder, name, f"{name}-a", "--option", "answer=red")
            make_run(folder, name, f"{name}-b")
            look(folder, name, examples)


if __name__ == "__main__":
    main()
