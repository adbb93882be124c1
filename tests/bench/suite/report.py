# SPDX-License-Identifier: Apache-2.0
"""Results as tables, as JSON, and tests/bench/results/README.md, which is made from the JSON alone."""

import json
import pathlib

from . import machine

RESULTS = machine.ROOT / "tests" / "bench" / "results"
# The columns of most cases that compare rates: (key, heading, format).
COLUMNS = (("mpps", "Mpps", ".2f"), ("cycles", "cycles", ".0f"), ("own_cycles", "own", ".0f"))
LIMIT_MARK = "*"


def markdown(heads, rows):
    """A table that is also readable as text."""
    cells = [[str(cell) for cell in row] for row in [heads, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _figures(result):
    columns = result["columns"]
    names = list(dict.fromkeys(name for row in result["rows"] for name in row["subjects"]))
    used = [(name, key, head, form) for name in names for key, head, form in columns
            if any((row["subjects"].get(name) or {}).get(key) is not None for row in result["rows"])]
    if not used:
        return None
    heads = [result["x_label"]] + [f"{name}: {head}" for name, _, head, _ in used]
    rows = []
    for row in result["rows"]:
        cells = [row["label"]]
        for name, key, _, form in used:
            subject = row["subjects"].get(name) or {}
            figure = subject.get(key)
            mark = LIMIT_MARK if figure and key == columns[0][0] and subject.get("generator_limit") else ""
            cells.append(_number(figure, form) + mark)
        rows.append(cells)
    return markdown(heads, rows)


def _number(figure, form):
    if isinstance(figure, dict):
        figure = figure["median"]
    return "" if figure is None else format(figure, form)


def _interval(figure, form):
    return "" if figure["low"] is None else f"{figure['low']:{form}} to {figure['high']:{form}}"


def _ratios(result):
    rows = [[row["label"], ratio["label"], _number(ratio, ".3f"), _interval(ratio, ".3f"), ratio["rounds"],
             ratio["target"] or "", ratio["verdict"] or ""]
            for row in result["rows"] for ratio in row["ratios"]]
    if not rows:
        return None
    return markdown([result["x_label"], "ratio", "median", "95 % interval", "rounds", "target", ""], rows)


def _remarks(result):
    remarks = list(dict.fromkeys(note for origin, _ in origins(result) for note in origin["notes"] or ()))
    for row in result["rows"]:
        for name, subject in row["subjects"].items():
            if limited := subject.get("generator_limit"):
                remarks.append(f"{LIMIT_MARK} {row['label']}: the generator was the limit of {name} in {limited} of "
                               f"{row['rounds']} rounds.")
            if silent := subject.get("silent"):
                remarks.append(f"{row['label']}, {name}: nothing arrives in {silent} of {row['rounds']} rounds.")
            if wrong := [f"{subject[key]} {key}" for key in ("corrupt", "unexpected", "reordered") if subject.get(key)]:
                remarks.append(f"{row['label']}, {name}: {', '.join(wrong)} among the frames that were checked.")
    return remarks


def tables(result):
    """The figures, the ratios and what to know about them, as Markdown."""
    parts = [part for part in (_figures(result), _ratios(result)) if part]
    if remarks := _remarks(result):
        parts.append("\n".join(f"- {remark}" for remark in remarks))
    return "\n\n".join(parts)


def encode(value, indent=""):
    """JSON with what is short, such as one trial, on one line; figures to six digits."""
    if isinstance(value, float):
        value = float(f"{value:.6g}")
    if not isinstance(value, (dict, list, tuple)):
        return json.dumps(value)
    pairs = isinstance(value, dict)
    inner = indent + " "
    parts = [f"{json.dumps(key)}: {encode(part, inner)}" for key, part in value.items()] if pairs else [
        encode(part, inner) for part in value]
    left, right = "{}" if pairs else "[]"
    line = left + ", ".join(parts) + right
    if len(line) <= 1000 and "\n" not in line:
        return line
    return f"{left}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{right}"


ORIGIN = ("command", "machine", "options", "notes")  # of a result, or of a row that is older than its result


def origin_of(row, result):
    return row.get("origin") or {key: result.get(key) for key in ORIGIN}


def origins(result):
    """[(origin, labels of its rows)], in the order of the rows."""
    grouped = []
    for row in result["rows"]:
        origin = origin_of(row, result)
        labels = next((labels for known, labels in grouped if known == origin), None)
        if labels is None:
            grouped.append((origin, labels := []))
        labels.append(row["label"])
    return grouped


def merged(old, new):
    """`new` with the rows of `old` that it does not have, which keep where they come from."""
    rows = {row["label"]: {**row, "origin": origin_of(row, old)} for row in old["rows"]}
    rows.update({row["label"]: row for row in new["rows"]})
    rows = list(rows.values())
    if all(isinstance(row["x"], (int, float)) for row in rows):
        rows.sort(key=lambda row: row["x"])
    return {**new, "rows": rows}


def save(result, partial=False, folder=None):
    """What is stored now; `partial`: only some rows of the case were measured."""
    folder = folder or RESULTS
    folder.mkdir(exist_ok=True)
    path = folder / f"{result['name']}.json"
    if partial and path.exists():
        result = merged(json.loads(path.read_text()), result)
    path.write_text(encode(result) + "\n")
    return result


def load(folder=RESULTS):
    results = [json.loads(path.read_text()) for path in sorted(pathlib.Path(folder).glob("*.json"))]
    return {result["name"]: result for result in results}


def _origin(origin):
    facts = origin["machine"]
    cpu = facts["cpu"]
    dirty = " with changes" if facts["dirty"] else ""
    parts = [f"{cpu['model']} (family {cpu['family']}, model {cpu['model_number']}), {cpu['count']} CPUs"
             + (", virtual" if cpu["hypervisor"] else ""), f"Linux {facts['kernel']}", f"DPDK {facts['dpdk']}"]
    if facts["openvswitch"]:
        parts.append(f"Open vSwitch {facts['openvswitch']}")
    return f"Commit {facts['commit'][:12]}{dirty}, {facts['date'][:10]}; " + ", ".join(parts) + "."


def page(results, order):
    """results/README.md."""
    text = ["# Results of the bench suite", "",
            "Made by `tests/bench/run` from the JSON files in this folder, which hold every trial; not edited by hand.",
            "Mpps: frames that arrive, in millions a second; cycles: of the time stamp counter, for each packet that is",
            "switched; own: the busy cycles for each packet that the switch counts itself. A ratio is the median of the",
            "ratios of adjacent trials.", ""]
    for name in [*[name for name in order if name in results], *sorted(set(results) - set(order))]:
        result = results[name]
        text += [f"## {name}", "", result["summary"], ""]
        made = origins(result)
        for origin, labels in made:
            text += [f"`{origin['command']}`" + (f" ({'; '.join(labels)})" if len(made) > 1 else ""), "", _origin(origin), ""]
        text += [tables(result), ""]
        if (RESULTS / f"{name}.png").exists():
            text += [f"![{name}]({name}.png)", ""]
    return "\n".join(text)


def key_figures(results):
    """For the project's README: what has a target, and how to get it again."""
    def figure(ratio):
        return "nothing arrives" if ratio["median"] is None else f"{_number(ratio, '.2f')} ({_interval(ratio, '.2f')})"

    rows = [[name, row["label"], ratio["label"], figure(ratio), ratio["target"], ratio["verdict"]]
            for name, result in results.items() for row in result["rows"] for ratio in row["ratios"] if ratio["target"]]
    if not rows:
        return "No results are stored: `sudo tests/bench/run` makes them.\n"
    table = markdown(["case", "with", "ratio", "median (95 % interval)", "target", ""], rows)
    commands = {}  # by origin
    for result in results.values():
        for row in result["rows"]:
            if any(ratio["target"] for ratio in row["ratios"]):
                origin = origin_of(row, result)
                commands.setdefault(_origin(origin), {})[f"`{origin['command']}`"] = True
    made = [f"Made by {', '.join(words)}. {origin}" for origin, words in commands.items()]
    return "\n\n".join([table, *made]) + "\n"


def write_page(order):
    (RESULTS / "README.md").write_text(page(load(), order))
