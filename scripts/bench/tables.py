"""The figures of the yardsticks in Markdown."""

import math
import statistics

MIB = 1 << 20
WANTED = {"random": 1.1, "clustered": 5, "wide": 3}  # how many times less CPU than the best peer


def spread(values, form="{:.2f}"):
    lo, mid, hi = (form.format(v) for v in (min(values), statistics.median(values), max(values)))
    return mid if lo == hi else f"{mid} ({lo}–{hi})"


def ratios(runs, names, of):
    """The best of names over assent, round by round."""
    return [min(runs[p][n][of] for p in names) / runs["assent"][n][of] for n in range(len(runs["assent"]))]


def per_tb(figures, input_bytes, vm_hour):
    """List price in dollars of a VM of two threads for a TB of Parquet read."""
    return [f["wall_s"] / 3600 * vm_hour / input_bytes * 1e12 for f in figures]


def compared(about, results):
    yield "| case | program | CPU s | wall s, 2 threads | wall s, 1 thread | peak MiB | kept MB | excluded MB | $ a TB | CPU ÷ assent's |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for case in (c for c in WANTED if c in results):
        r = results[case]
        for name, figures in r["runs"].items():
            each = lambda k, unit=1: [f[k] / unit for f in figures]
            one = [f["wall_s"] for f in r["one_thread"].get(name, [])]
            yield (f"| {case} | {name} | {spread(each('cpu_s'))} | {spread(each('wall_s'))} | {spread(one) if one else '–'} "
                   f"| {spread(each('peak_rss', MIB), '{:.0f}')} | {spread(each('kept_bytes', 1e6), '{:.1f}')} "
                   f"| {spread(each('excluded_bytes', 1e6), '{:.1f}')} | {spread(per_tb(figures, r['input_bytes'], about['vm_hour']))} "
                   f"| {spread(ratios(r['runs'], [name], 'cpu_s'))} |")
    yield ""


def yardsticks(results):
    yield "| yardstick | wanted | measured |"
    yield "| --- | --- | --- |"
    for case, cpu in WANTED.items():
        if case not in results:
            continue
        r, runs = results[case], results[case]["runs"]
        names, floors = [p for p in runs if p != "assent"], [f["decompress_cpu_s"] + f["compress_cpu_s"] for f in r["floor"]]
        one = [p for p in r["one_thread"] if p != "assent"]
        kept, excluded = r["outcome"]["kept"]["rows"], sum(x["rows"] for x in r["outcome"]["excluded"].values())
        fate = ", ".join(f"{n / sum(r['pages'].values()):.0%} {how}" for how, n in r["pages"].items())
        yield f"| {case}: CPU of the best peer ÷ assent's | ≥ {cpu} | {spread(ratios(runs, names, 'cpu_s'))} |"
        yield f"| {case}: time of the best peer ÷ assent's, 2 threads | {'≥ 1.1' if case == 'random' else '–'} | {spread(ratios(runs, one, 'wall_s'))} |"
        yield f"| {case}: the same, 1 thread | – | {spread(ratios(r['one_thread'], one, 'wall_s'))} |"
        yield f"| {case}: peak memory of the best peer ÷ assent's | {'≥ 2' if case == 'random' else '–'} | {spread(ratios(runs, one, 'peak_rss'))} |"
        if "DuckDB, lean" in runs:
            yield f"| {case}: peak memory of DuckDB limited to 300 MB ÷ assent's | – | {spread(ratios(runs, ['DuckDB, lean'], 'peak_rss'))} |"
        yield f"| {case}: size of assent's data files ÷ DuckDB's | ≤ 1.01 | {spread([1 / x for x in ratios(runs, ['DuckDB'], 'kept_bytes')], '{:.3f}')} |"
        yield f"| {case}: assent's CPU ÷ the codec floor ({spread(floors)} s) | – | {spread([x['cpu_s'] / f for x, f in zip(runs['assent'], floors)])} |"
        yield (f"| {case}: rows kept; pages mixed by the selection; pages as assent wrote them | – | {kept / (kept + excluded):.0%}; "
               f"{r['floor'][0]['mixed_pages'] / r['floor'][0]['pages']:.0%}; {fate} |")
    yield from after(results)
    yield from index(results)


def after(results):
    """Nights, and the commands that read a published run."""
    for name, text in (("night", "one file of 200 is new, 500 toggles, 3 deletions"), ("horizon", "nothing changed but the horizon")):
        if of := results.get("night", {}).get(name):
            yield f"| a night: {text}: CPU from nothing ÷ reused | ≥ {30 if name == 'night' else 100} | {of['ratio']:.1f} |"
    if s := results.get("scan"):
        yield f"| DuckDB reads its own output ÷ assent's, CPU | ≥ 1 | {spread([b / a for a, b in zip(s['assent'], s['DuckDB'])])} |"
    for name in "verify", "access":
        if of := results.get(name):
            yield (f"| `{name}`, CPU ÷ the run's; peak MiB | – | {spread([r['command']['cpu_s'] / r['run']['cpu_s'] for r in of])}; "
                   f"{spread([r['command']['peak_rss'] / MIB for r in of], '{:.0f}')} |")


def index(results):
    if h := results.get("history"):
        rate = lambda k, unit, scale: "{:.1f}".format(h["micro"][k][unit] / scale)
        yield f"| index built, M events/s a core | ≥ 2.5 | {rate('Build', 'events/cpu-s', 1e6)} |"
        yield f"| index, bytes an event | ≤ 20 | {rate('Build', 'B/event', 1)} |"
        yield f"| M decisions/s a core | ≥ 10 | {rate('Decide', 'decisions/cpu-s', 1e6)} |"
        yield f"| `run --dry-run`, {h['events'] / 1e6:g} M events in Parquet: M events/s a core | – | {spread([h['events'] / r['cpu_s'] / 1e6 for r in h['runs']])} |"
        yield f"| the same: peak MiB (of it the index) | – | {spread([r['peak_rss'] / MIB for r in h['runs']], '{:.0f}')} ({h['runs'][0]['index_bytes'] / MIB:.0f}) |"
    for case, r in results.get("memory", {}).items():
        yield (f"| default settings, {case}: peak MiB beside the index ({r['index_bytes'] / MIB:.0f} MiB) | ≤ 256 "
               f"| {(r['peak_rss'] - r['index_bytes']) / MIB:.0f} |")


def exponent(points, of):
    """The power by which a figure grows: the slope of its logarithm between the two largest sizes."""
    (a, b), (x, y) = points[-2:], (points[-2][of], points[-1][of])
    return math.log(y / x) / math.log(b["size"] / a["size"])


def growth(results):
    if g := results.get("growth"):
        yield ""
        yield "| against | sizes | CPU s | peak MiB beside the index | index MiB | exponent of CPU, of memory, at the end |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for name, points in g.items():
            line = lambda k, form: " · ".join(form.format(p[k]) for p in points)
            e = " , ".join(f"{exponent(points, k):.2f}" for k in ("cpu_s", "peak_mib")) if len(points) > 1 else "–"
            yield f"| {name} | {line('size', '{:,}')} | {line('cpu_s', '{:.1f}')} | {line('peak_mib', '{:.0f}')} | {line('index_mib', '{:.0f}')} | {e} |"


def lines(about, results):
    yield (f"{about['rows'] / 1e6:g} M messages of real text, 2 threads of {about['processor']}; assent {about['assent']}, {', '.join(about['peers'])}; "
           f"median of {about['rounds']} rounds (least–most); a VM of two threads at {about['vm_hour']} $ an hour; load of the machine {about['load'][0]:.1f} at the end.")
    yield ""
    if any(c in results for c in WANTED):
        yield from compared(about, results)
    yield from yardsticks(results)
    yield from growth(results)
