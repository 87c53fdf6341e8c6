"""Credits: how a component asks for room before it starts on a frame.

A token stands for room for one whole frame. A buffer offers a token while `valid` is high; whoever feeds it
takes the token in a cycle in which `ready` is high too, and may from then on send that frame's words in any
cycle, at any pace, without asking again. Flow control by the frame keeps every word-level stream in the
accelerator free of back pressure, so that no pipeline needs an enable.
"""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

Tokens = wiring.Signature({"valid": Out(1), "ready": In(1)})
