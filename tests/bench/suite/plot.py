# SPDX-License-Identifier: Apache-2.0
"""A result as a picture: the figures above, the ratios with their intervals and targets below."""

import textwrap
from collections import Counter

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from .report import origins  # noqa: E402


def draw(result, folder):
    """folder/NAME.png"""
    labels = [textwrap.fill(row["label"], max(6, 64 // len(result["rows"]))) for row in result["rows"]]
    # The switches' own figures without a target are in the tables; here they would only cover the others.
    ratios = list(dict.fromkeys(ratio["label"] for row in result["rows"] for ratio in row["ratios"]
                                if ratio.get("figure") != "own_cycles" or ratio["target"]))
    figure, axes = plt.subplots(2 if ratios else 1, 1, figsize=(10, 8 if ratios else 4.5), squeeze=False)
    key, heading = result["columns"][0][:2]
    if any(column[0] == "cycles" for column in result["columns"]):
        key, heading = "cycles", "cycles per packet"
    _figures(axes[0][0], result, key)
    axes[0][0].set_ylabel(heading)
    axes[0][0].set_title(result["name"])
    if ratios:
        _ratios(axes[1][0], result, ratios)
    for axis in axes[:, 0]:
        axis.set_xticks(range(len(labels)), labels)
        axis.set_xlim(-0.5, len(labels) - 0.5)
        axis.set_xlabel(result["x_label"])
        axis.grid(axis="y", alpha=0.3)
        axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    made = dict.fromkeys(f"{origin['machine']['commit'][:12]}, {origin['machine']['date'][:10]}" for origin, _ in origins(result))
    figure.text(0.99, 0.005, "; ".join(made), ha="right", fontsize=7)
    figure.tight_layout()
    figure.savefig(folder / f"{result['name']}.png", dpi=100, metadata={"Software": None})
    plt.close(figure)


def _beside(points):
    """[(row, thing)] as [(x, thing)]: those of one row beside each other."""
    counts = Counter(row for row, _ in points)
    seen = Counter()
    for row, thing in points:
        seen[row] += 1
        yield row + (seen[row] - (counts[row] + 1) / 2) * 0.8 / max(counts.values()), thing


def _by_name(points):
    """{name: [(x, figure)]} of [(row, (name, figure))]."""
    grouped = {}
    for x, (name, figure) in _beside(points):
        grouped.setdefault(name, []).append((x, figure))
    return grouped


def _figures(axis, result, key):
    points = [(i, (name, subject[key])) for i, row in enumerate(result["rows"]) for name, subject in row["subjects"].items()
              if subject.get(key)]
    if not points:
        return
    width = 0.7 / max(Counter(row for row, _ in points).values())
    for name, shown in _by_name(points).items():
        axis.bar([x for x, _ in shown], [_median(figure) for _, figure in shown], width, label=name,
                 yerr=_errors([figure for _, figure in shown]), error_kw={"elinewidth": 1, "capsize": 2})
    axis.set_ylim(bottom=0)


def _median(figure):
    return figure["median"] if isinstance(figure, dict) else figure


def _errors(figures):
    if not all(isinstance(figure, dict) for figure in figures):
        return None
    return [[f["median"] - f["low"] for f in figures], [f["high"] - f["median"] for f in figures]]


def _ratios(axis, result, names):
    points = [(i, (ratio["label"], ratio)) for i, row in enumerate(result["rows"]) for ratio in row["ratios"]
              if ratio["label"] in names and ratio["median"] is not None]
    for name, shown in _by_name(points).items():
        drawn = axis.errorbar([x for x, _ in shown], [r["median"] for _, r in shown], yerr=_errors([r for _, r in shown]),
                              fmt="o", markersize=4, capsize=3, label=name)
        for x, ratio in shown:
            if ratio["target"]:
                axis.hlines(float(ratio["target"].split()[-1]), x - 0.1, x + 0.1, linestyles="dashed", linewidth=1,
                            color=drawn[0].get_color())
    axis.axhline(1, color="black", linewidth=0.5)
    axis.set_ylabel("ratio (dashed: target)")
