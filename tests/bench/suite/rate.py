# SPDX-License-Identifier: Apache-2.0
"""Cases that compare rates: groups of subjects that are attached together, and for each group rows of traffic."""

from dataclasses import dataclass, field, replace

from . import machine, stats
from .process import BenchError
from .report import COLUMNS
from .progress import Progress
from .rounds import attached, blocks, one_round
from .subject import PODSWITCH, available

# What a figure is called in tables; True: less is better.
FIGURES = {"cycles": "cycles", "own_cycles": "own busy cycles", "mpps": "rate"}


@dataclass(frozen=True)
class Pair:
    """Row by row, round by round: `of` divided by `to`, or by nothing."""
    of: str
    to: str = ""
    figure: str = "cycles"
    target: object = None

    @property
    def label(self):
        return f"{FIGURES[self.figure]}: {self.of} / {self.to}" if self.to else f"{self.figure.capitalize()}: {self.of}"


@dataclass(frozen=True)
class Row:
    label: str
    x: object
    trial: dict
    pairs: tuple = ()


@dataclass(frozen=True)
class Group:
    specs: tuple
    rows: tuple


@dataclass(frozen=True)
class RateCase:
    name: str
    summary: str
    groups: tuple
    x_label: str
    notes: tuple = ()
    columns: tuple = COLUMNS
    smoke_groups: tuple = field(default=())

    def against(self, old, new):
        return against_itself(self, old, new)

    def selected(self, chosen):
        """Groups with only the rows whose x is among `chosen` (all when empty)."""
        if not chosen:
            return self.groups
        known = {str(row.x) for group in self.groups for row in group.rows}
        if unknown := set(chosen) - known:
            raise BenchError(f"{self.name} has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
        groups = (replace(group, rows=tuple(row for row in group.rows if str(row.x) in chosen)) for group in self.groups)
        return tuple(group for group in groups if group.rows)

    def run(self, setup, options):
        groups = self.smoke_groups or self.groups if options.smoke else self.selected(options.rows.get(self.name))
        steps = sum(options.rounds * len(group.rows) for group in groups)
        progress = Progress(self.name, steps)
        rows, notes = [], list(self.notes)
        for group in groups:
            specs = [spec for spec in group.specs if available(spec.kind)]
            if missing := [spec.name for spec in group.specs if not available(spec.kind)]:
                notes.append(f"{', '.join(missing)}: not installed, left out.")
            with machine.hugepages(sum(spec.hugepages for spec in specs)):
                rows += self._group(specs, group.rows, setup, options, progress)
        progress.end()
        return {"rows": rows, "notes": list(dict.fromkeys(notes)), "x_label": self.x_label, "columns": self.columns}

    def _group(self, specs, rows, setup, options, progress):
        rounds = {row.x: [] for row in rows}
        for block in blocks(options.rounds, options.restart_every):
            with attached(specs, setup) as subjects:
                for row in rows:
                    trial = {**row.trial, "seconds": options.seconds, "warmup_ms": options.warmup_ms}
                    for number in block:
                        progress.step(f"{row.label}, round {number + 1} of {options.rounds}")
                        rounds[row.x].append(one_round(subjects, number, lambda subject: subject.trial(trial)))
        return [summarise(row, [spec.name for spec in specs], rounds[row.x]) for row in rows]


def summarise(row, names, rounds):
    """Medians of each subject, ratios of each pair, and the trials themselves."""
    subjects = {}
    for name in names:
        trials = [one[name] for one in rounds]
        figures = {key: [trial[key] for trial in trials if trial[key] is not None]
                   for key in ("mpps", "gbps", "cycles", "own_cycles")}
        subjects[name] = {key: stats.summary(values) if values else None for key, values in figures.items()}
        subjects[name]["silent"] = sum(not trial["mpps"] for trial in trials)
        for key in ("lost", "corrupt", "unexpected", "reordered"):
            subjects[name][key] = sum(trial[key] for trial in trials)
        subjects[name]["generator_limit"] = sum(trial["limit"] == "generator" for trial in trials)
    pairs = [pair for pair in row.pairs if pair.of in names and pair.to in ("", *names)]
    # What the switches count themselves beside what the clock says. Two of a kind count alike: the target holds for both.
    judged = {(pair.of, pair.to) for pair in pairs if pair.figure == "own_cycles"}
    pairs += [replace(pair, figure="own_cycles", target=pair.target if kind_of(pair.of) == kind_of(pair.to) else None)
              for pair in pairs if pair.figure == "cycles" and (pair.of, pair.to) not in judged]
    return {"label": row.label, "x": row.x, "trial": row.trial, "rounds": len(rounds), "subjects": subjects,
            "ratios": [ratio for pair in pairs if (ratio := ratio_of(pair, rounds))],
            "trials": [list(one.values()) for one in rounds]}


def kind_of(name):
    """podswitch of `podswitch, 8 ports`."""
    return name.partition(",")[0]


def ratio_of(pair, rounds):
    """Of the rounds in which both have the figure; None when there are none and nothing was expected."""
    def divisor(one):
        return one[pair.to][pair.figure] if pair.to else 1

    values = [one[pair.of][pair.figure] / divisor(one) for one in rounds if one[pair.of][pair.figure] and divisor(one)]
    if not values and not pair.target:
        return None
    ratio = stats.ratio(pair.label, values, pair.target)
    if pair.target and len(values) < len(rounds):
        # Who lets nothing through does not keep up with anybody.
        silent = any(not one[pair.of]["mpps"] and (not pair.to or one[pair.to]["mpps"]) for one in rounds)
        ratio["verdict"] = "missed" if silent else "undecided"
        return {**ratio, "of": pair.of, "to": pair.to, "figure": pair.figure}
    # Whoever the generator held back could have been faster: a rival's figure flatters, an own one does wrong.
    held_back = {"met": pair.to, "missed": pair.of}.get(ratio["verdict"])
    # "" when a figure stands alone and is high enough.
    if held_back and pair.figure != "own_cycles":
        if sum(one[held_back]["limit"] == "generator" for one in rounds) > len(rounds) / 10:
            ratio["verdict"] = "undecided"
    return {**ratio, "of": pair.of, "to": pair.to, "figure": pair.figure}


def against_itself(case, old, new):
    """The same traffic through two builds of podswitch, each a (name, build folder)."""
    groups = {}
    for group in case.groups:
        spec = max((spec for spec in group.specs if spec.kind == PODSWITCH), key=lambda spec: spec.ports + spec.idle)
        specs = tuple(replace(spec, label=name, build=build) for name, build in (old, new))
        rows = tuple(replace(row, pairs=(Pair(new[0], old[0]),)) for row in group.rows)
        # Those that differ only in who else takes part are the same here.
        groups.setdefault((specs, tuple(row.x for row in rows)), Group(specs, rows))
    return replace(case, groups=tuple(groups.values()), smoke_groups=(), notes=())
