"""Benchmark documents as charts; needs matplotlib, from the extra `plot`."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO, StringIO
from math import isnan
from typing import TYPE_CHECKING, Any

from fastmlp.errors import MissingExtraError

if TYPE_CHECKING:
    from fastmlp.bench.summary import Row

OWN, OTHERS, LIMIT = "#c8102e", "#7a8ca3", "#333333"
COLOURS = {"forward": "#1b6ca8", "delta": "#2a9d54", "update": "#e07b00"}


def figure(width: float, height: float) -> Any:
    """Return an empty figure of that size in inches, without a window."""
    return figure_class()(figsize=(width, height), layout="constrained")


def figure_class() -> Any:
    """Return matplotlib's Figure. Raises MissingExtraError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("a chart", "matplotlib", "plot") from None
    return Figure


def to_svg(chart: Any) -> str:
    """Return a figure as an SVG element for an HTML page."""
    out = StringIO()
    chart.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def to_png(chart: Any) -> bytes:
    """Return a figure as a PNG image."""
    out = BytesIO()
    chart.savefig(out, format="png", dpi=150)
    return out.getvalue()


def epochs_chart(name: str, rows: Sequence[Row]) -> Any:
    """Return a chart of samples per second: a bar for each implementation, with its range."""
    good = [row for row in rows if not row.failure]
    chart = figure(8, 0.6 + 0.32 * len(good))
    axes = chart.add_subplot()
    names, speeds = [row.name for row in good], [row.samples_per_second for row in good]
    ranges = [
        [s - s * row.seconds / row.high for s, row in zip(speeds, good, strict=True)],
        [s * row.seconds / row.low - s for s, row in zip(speeds, good, strict=True)],
    ]
    colours = [OWN if row.is_own else OTHERS for row in good]
    axes.barh(names, speeds, xerr=ranges, color=colours, ecolor=LIMIT, height=0.7)
    axes.invert_yaxis()
    for number, row in enumerate(good):
        factor = "" if row.is_own or isnan(row.ratio) else f"  {row.ratio:.1f} x as long"
        axes.text(row.samples_per_second * row.seconds / row.low, number, factor, va="center")
    axes.set_xlim(right=1.12 * max(s + more for s, more in zip(speeds, ranges[1], strict=True)))
    axes.set_title(name, loc="left")
    axes.set_xlabel("samples a second")
    axes.ticklabel_format(axis="x", style="plain")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    return chart


def roofline_chart(document: dict[str, Any]) -> Any:
    """Return a chart of the kernels' speeds over their operations per byte, with the limits."""
    limits, chart = document["limits"], figure(9, 5.5)
    axes = chart.add_subplot()
    peak = limits["peak_flops"]["all"] / 1e9
    intensities = [0.1, 1000.0]
    for number, (level, speed) in enumerate(limits["bytes_per_second"].items()):
        x = 0.11 * 1.7**number  # other x for each level, so that the labels do not overlap
        bandwidth = speed["all"] / 1e9
        ends = [intensities[0], peak / bandwidth]
        axes.plot(ends, [ends[0] * bandwidth, peak], color=LIMIT, lw=0.8)
        label = f"{level}, {bandwidth:.0f} GB/s"
        axes.text(x, x * bandwidth * 1.08, label, size=8, rotation=31)
    axes.plot([0.1, intensities[1]], [peak, peak], color=LIMIT, lw=1.4)
    axes.text(intensities[1], peak * 1.05, f"peak {peak:.0f} GFLOP/s", size=8, ha="right")
    for kernel, colour in COLOURS.items():
        rows = [row for row in document["rows"] if row["kernel"] == kernel]
        xs = [row["flops"] / row["bytes"] for row in rows]
        for side, marker, alpha in (("numpy", "x", 0.45), ("fastmlp", "o", 0.75)):
            speeds = [row["flops"] / row[f"{side}_seconds"] / 1e9 for row in rows]
            label = kernel if side == "fastmlp" else f"{kernel}, NumPy"
            axes.scatter(xs, speeds, s=14, marker=marker, c=colour, alpha=alpha, label=label)
    axes.set(xscale="log", yscale="log", xlim=intensities, ylim=(0.05, peak * 2))
    axes.set_xlabel("floating-point operations for each byte of the operands")
    axes.set_ylabel("GFLOP/s")
    axes.set_title(f"roofline, float32, {limits['threads']} threads", loc="left")
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return chart
