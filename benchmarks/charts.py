"""Charts of ratios, drawn to be read on a light page."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.harness import Report, Samples


def draw_ratios(samples: Samples, report: Report, path: Path) -> None:
    """One line a row: ours and the others as multiples of the base, on a logarithmic axis. Left is better."""
    mpl.use("Agg")
    shown = [row for row in samples.values if samples.ratio(row, report.ours, report.base)]
    rows = [row for row in shown if samples.unit[row]]  # counts, such as round trips, are for the table
    names = [report.ours, *report.others]
    figure, axes = plt.subplots(figsize=(11, 0.3 * len(rows) + 1.6), layout="constrained")
    for name, colour, marker in zip(names, plt.get_cmap("tab10").colors, "oXsDv^|", strict=False):
        points = [(ratio, y) for y, row in enumerate(rows) if (ratio := samples.ratio(row, name, report.base))]
        if not points:
            continue
        ours = name == report.ours
        style = {"s": 80, "zorder": 3, "color": "tab:red"} if ours else {"s": 26, "alpha": 0.75, "color": colour}
        axes.scatter(*zip(*points, strict=True), label=name, marker=marker, **style)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.3, -0.7)
    axes.grid(axis="both", alpha=0.25)
    axes.set_xlabel(f"as a multiple of {report.base} (left is better)")
    figure.legend(loc="outside upper center", ncols=len(names), frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)
