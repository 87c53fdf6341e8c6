"""Blocks that fill memories are found in Verilog, whatever their form; anything else is left alone."""

from bitwright_core.verilog_memories import fills, replaced

WORDS = "  initial begin\n    m[0] = 4'hf;\n    \\m$1 [2] = 32'd70000;\n    m[3] = {2'b10, 2'b01};\n  end\n"
LOOP = "  initial begin : fill\n    integer k; for (k = 0; k < 3; k = k + 1) m[4 + k] = 4'ha;\n  end\n"


def packed(value: str, name: str = "w") -> str:
    return (
        f"  localparam [7:0] {name} = {value};\n  initial begin : fill\n"
        f"    integer k; for (k = 0; k < 2; k = k + 1) m [k] = {name}[4 * k +: 4];\n  end\n"
    )


def test_words_one_by_one():
    (fill,) = fills(WORDS)
    assert {name.strip(): words for name, words in fill.words.items()} == {"m": {0: 15, 3: 9}, "\\m$1": {2: 70000}}
    assert replaced(WORDS, [(fill.span, "")]) == ""


def test_one_word_for_all():
    assert fills(LOOP)[0].words == {"m": {4: 10, 5: 10, 6: 10}}


def test_a_packed_constant_goes_with_its_block():
    text = packed("{4'h3, 4'h7}")
    (fill,) = fills(text)
    assert {name.strip(): words for name, words in fill.words.items()} == {"m": {0: 7, 1: 3}}
    assert replaced(text, [(fill.span, ""), (fill.constant, "x\n")]) == "x\n"


def test_a_constant_that_something_else_reads_stays():
    text = packed("8'h37").replace("  initial", "  assign y = w;\n  initial")
    assert fills(text)[0].constant is None


def test_modules_may_give_their_constants_one_name():
    first, second = fills(packed("8'h37") + packed("8'h42"))
    assert [list(one.words.values()) for one in (first, second)] == [[{0: 7, 1: 3}], [{0: 2, 1: 4}]]
    assert first.constant != second.constant


def test_other_blocks_are_no_fills():
    for text in (
        "  initial begin\n    y = 1;\n  end\n",
        WORDS.replace("    m[3]", "    y = 1'h1;\n    m[3]"),
        packed("8'h37").replace("4 * k +: 4", "4 * k +: 3"),
        packed("8'h37", "v").replace("localparam [7:0] v", "localparam [7:0] u"),
    ):
        assert not fills(text), text
