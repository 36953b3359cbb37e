"""The yardsticks as a picture in SVG: what each program takes for the same job."""

import statistics
from xml.sax.saxutils import escape

PANELS = (("CPU seconds", "cpu_s", 1, "{:.1f}"), ("peak memory, MiB", "peak_rss", 1 << 20, "{:,.0f}"))
CASES = {"random": "exclusions at random, every page mixed", "clustered": "exclusions by contract, 5 % of pages mixed", "wide": "100 columns"}
LEFT, BAR, GAP, WIDE, BETWEEN = 130, 17, 5, 260, 90
OURS, THEIRS = "#2563a8", "#9aa5b1"


def draw(about, results):
    """One row of bars a program, one group a case, one column a figure; medians."""
    parts, y = [], 54
    text = lambda x, y, t, more="": parts.append(f'<text x="{x}" y="{y}" {more}>{escape(t)}</text>')
    text(0, 16, f"{about['rows'] / 1e6:g} M messages of real text; medians of {about['rounds']} rounds; shorter is better", 'font-weight="bold"')
    for i, (title, *_) in enumerate(PANELS):
        text(LEFT + i * (WIDE + BETWEEN), 38, title)
    for case, title in CASES.items():
        if case not in results:
            continue
        runs = results[case]["runs"]
        text(0, y + 12, title, 'font-style="italic"')
        y += 20
        for name, figures in runs.items():
            text(LEFT - 8, y + 13, name, 'text-anchor="end"')
            for i, (_, of, unit, form) in enumerate(PANELS):
                value = lambda f: statistics.median(x[of] for x in f) / unit
                x, width = LEFT + i * (WIDE + BETWEEN), WIDE * value(figures) / max(map(value, runs.values()))
                parts.append(f'<rect x="{x}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{OURS if name == "assent" else THEIRS}"/>')
                text(f"{x + width + 5:.1f}", y + 13, form.format(value(figures)))
            y += BAR + GAP
        y += 14
    width = LEFT + len(PANELS) * (WIDE + BETWEEN)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 -6 {width + 20} {y + 6}" font-family="sans-serif" font-size="12" fill="#1f2933">'
            f'<rect x="-10" y="-6" width="{width + 20}" height="{y + 6}" fill="#ffffff"/>{"".join(parts)}</svg>\n')
