"""Tables as HTML, for the notebooks that show networks, plans and reports by themselves."""

from collections.abc import Sequence
from html import escape


def html_table(
    title: str,
    facts: Sequence[tuple[str, object]],
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[object]] = (),
) -> str:
    """A caption of `title` and `facts`, then a row for each of `rows`; numbers to the right, everything escaped."""
    said = "; ".join(f"{name} {shown(value)}" for name, value in facts)
    caption = f'<caption style="text-align:left"><b>{escape(title)}</b>{escape(f": {said}") if said else ""}</caption>'
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def shown(value: object) -> str:
    """A number with its thousands apart, a fraction to four digits, nothing as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _cell(value: object) -> str:
    side = "right" if isinstance(value, int | float) and not isinstance(value, bool) else "left"
    return f'<td style="text-align:{side}">{escape(shown(value))}</td>'
