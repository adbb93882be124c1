# SPDX-License-Identifier: Apache-2.0
"""A result as a picture: the figures above, the ratios with their intervals and targets below."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def draw(result, folder):
    """folder/NAME.png"""
    labels = [row["label"] for row in result["rows"]]
    ratios = list(dict.fromkeys(ratio["label"] for row in result["rows"] for ratio in row["ratios"]))
    figure, axes = plt.subplots(2 if ratios else 1, 1, figsize=(8, 8 if ratios else 4.5), squeeze=False)
    key, heading = result["columns"][0][:2]
    if any(column[0] == "cycles" for column in result["columns"]):
        key, heading = "cycles", "cycles per packet"
    _figures(axes[0][0], result, key)
    axes[0][0].set_ylabel(heading)
    axes[0][0].set_title(result["name"])
    if ratios:
        _ratios(axes[1][0], result, ratios, labels)
    for axis in axes[:, 0]:
        axis.set_xticks(range(len(labels)), labels)
        axis.set_xlabel(result["x_label"])
        axis.grid(axis="y", alpha=0.3)
        axis.legend(fontsize=8)
    figure.text(0.99, 0.005, f"{result['machine']['commit'][:12]}, {result['machine']['date'][:10]}", ha="right", fontsize=7)
    figure.tight_layout()
    figure.savefig(folder / f"{result['name']}.png", dpi=100, metadata={"Software": None})
    plt.close(figure)


def _figures(axis, result, key):
    names = list(dict.fromkeys(name for row in result["rows"] for name in row["subjects"]))
    shift = 0.8 / max(1, len(names))
    for number, name in enumerate(names):
        points = [(i + (number - (len(names) - 1) / 2) * shift, row["subjects"][name][key])
                  for i, row in enumerate(result["rows"]) if (row["subjects"].get(name) or {}).get(key)]
        if points:
            medians = [_median(figure) for _, figure in points]
            axis.bar([x for x, _ in points], medians, shift * 0.9, label=name, yerr=_errors([f for _, f in points]),
                     error_kw={"elinewidth": 1, "capsize": 2})
    axis.set_ylim(bottom=0)


def _median(figure):
    return figure["median"] if isinstance(figure, dict) else figure


def _errors(figures):
    if not all(isinstance(figure, dict) for figure in figures):
        return None
    return [[f["median"] - f["low"] for f in figures], [f["high"] - f["median"] for f in figures]]


def _ratios(axis, result, names, labels):
    for number, name in enumerate(names):
        points = [(i + (number - (len(names) - 1) / 2) * 0.1, ratio) for i, row in enumerate(result["rows"])
                  for ratio in row["ratios"] if ratio["label"] == name]
        drawn = axis.errorbar([x for x, _ in points], [r["median"] for _, r in points], yerr=_errors([r for _, r in points]),
                              fmt="o", markersize=4, capsize=3, label=name)
        for x, ratio in points:
            if ratio["target"]:
                axis.hlines(float(ratio["target"].split()[-1]), x - 0.2, x + 0.2, linestyles="dashed", linewidth=1,
                            color=drawn[0].get_color())
    axis.axhline(1, color="black", linewidth=0.5)
    axis.set_xlim(-0.5, len(labels) - 0.5)
    axis.set_ylabel("ratio (dashed: target)")
