"""SVG's elements as text. Names of attributes have `_` for `-`, and one at the end stands for nothing (`class_`)."""

from html import escape

TIMES, MINUS = "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"


def element(tag: str, *children: str, **attributes: object) -> str:
    """An element with these attributes around `children`, which are markup; None leaves an attribute out."""
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{named}>{''.join(children)}</{tag}>" if children else f"<{tag}{named}/>"


def text(x: float, y: float, words: str, **attributes: object) -> str:
    """Words at a point."""
    return element("text", escape(words), x=x, y=y, **attributes)


def rect(x: float, y: float, width: float, height: float, **attributes: object) -> str:
    return element("rect", x=x, y=y, width=width, height=height, **attributes)


def path(d: str, **attributes: object) -> str:
    return element("path", d=d, **attributes)


def drawing(width: float, height: float, title: str, description: str, *children: str, class_: str = "") -> str:
    """A drawing that readers of the screen take for one picture, by its title and description."""
    return element(
        "svg",
        element("title", escape(title)),
        element("desc", escape(description)),
        *children,
        viewBox=f"0 0 {_plain(width)} {_plain(height)}",
        role="img",
        aria_label=f"{title}. {description}",
        class_=class_ or None,
        style=f"--natural:{_plain(width)}px",
    )


def _plain(value: object) -> str:
    """A number without digits that nobody sees."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
