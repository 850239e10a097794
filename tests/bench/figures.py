"""What a benchmark reports: rows of figures, and how they are printed."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Figure = str | int | float | None


@dataclass(frozen=True, slots=True)
class Report:
    """One benchmark's figures; the rows' keys are the columns, in order of appearance."""

    name: str
    title: str
    rows: tuple[Mapping[str, Figure], ...]
    notes: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        return {"title": self.title, "rows": list(map(dict, self.rows)), "notes": list(self.notes)}

    def text(self) -> str:
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        cells = [columns, *([_shown(row.get(column)) for column in columns] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [_line(line, widths) for line in cells]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.title, "", *lines, "", *_notes(self.notes)])


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the rounds' own ratios: what slowed a whole round down cancels out."""
    return statistics.median(one / other for one, other in zip(above, below, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least that share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _shown(figure: Figure) -> str:
    match figure:
        case None:
            return ""
        case float() if abs(figure) >= 100:
            return f"{figure:,.0f}"
        case float():
            return f"{figure:.3g}"
        case _:
            return str(figure)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    aligned = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "  ".join(aligned).rstrip()


def _notes(notes: Iterable[str]) -> list[str]:
    return [f"  {note}" for note in notes]
