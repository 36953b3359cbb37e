"""Real text for the yardsticks: prose, code, logs and JSON that lie on any machine with Go, cut to messages.

Sources are Go's own tree and its module cache: comments and documents, sources, test data. Synthetic text, made of a few
hundred words, flatters fast compressors; this does not. What a machine has in its module cache differs, so figures of two
machines are compared as ratios only.
"""

import pathlib
import subprocess

import numpy as np
import pyarrow as pa

MIB = 1 << 20
KINDS = {  # share of the messages; suffixes of the files
    "prose": (0.6, (".md", ".txt", ".html")),
    "code": (0.3, (".go", ".py", ".js", ".c", ".h", ".s", ".proto")),
    "data": (0.1, (".json", ".yaml", ".csv")),
}
MOST = {"prose": 64 * MIB, "code": 96 * MIB, "data": 32 * MIB}  # bytes read of each kind


def comments(text):
    """The comments of Go source: most of the prose that such a tree has."""
    return b"\n".join(line.strip()[3:] for line in text.splitlines() if line.strip().startswith(b"// "))


def corpus():
    """The text of each kind, of at most MOST bytes: files in the order of their names, which no clock changes."""
    roots = subprocess.run(["go", "env", "GOROOT", "GOMODCACHE"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    found = {kind: [] for kind in KINDS}
    size = dict.fromkeys(KINDS, 0)
    for root in roots:
        for path in sorted(pathlib.Path(root).rglob("*")):
            kind = next((k for k, (_, suffixes) in KINDS.items() if path.suffix in suffixes), None)
            if kind is None or min(size[k] - MOST[k] for k in KINDS) >= 0 or not path.is_file() or path.stat().st_size > 2 * MIB:
                continue
            text = path.read_bytes()
            try:
                text.decode()
            except UnicodeDecodeError:
                continue
            if b"\0" in text:
                continue
            for k, t in (kind, text), ("prose", comments(text) if path.suffix == ".go" else b""):
                if size[k] < MOST[k]:
                    found[k].append(t)
                    size[k] += len(t)
    return {k: b"\n".join(t) for k, t in found.items()}


def messages(n, seed=3):
    """n texts as an Arrow array: of 20 bytes to 4 KiB, 100 in the middle, cut at the start and end of words, from a random
    place of a kind's text. Two messages overlap as seldom as the text is long."""
    rng = np.random.default_rng(seed)
    texts = corpus()
    kind = rng.choice(len(KINDS), n, p=[share for share, _ in KINDS.values()])
    length = np.clip(rng.lognormal(np.log(100), 0.9, n), 20, 4096).astype(np.int64)
    out = np.empty(n, object)
    for k, name in enumerate(KINDS):
        text, rows = texts[name], np.flatnonzero(kind == k)
        at = rng.integers(0, len(text) - 8192, len(rows))
        for row, begin, size in zip(rows.tolist(), at.tolist(), length[rows].tolist()):
            out[row] = cut(text, begin, size)
    return pa.array(out, pa.string())


def cut(text, begin, size):
    first = text.find(b" ", begin, begin + 2048) + 1 or begin
    last = text.find(b" ", first + size, first + size + 2048)
    return text[first:last if last > 0 else first + size].decode(errors="ignore")
