"""Processing systems that overlays are made for: what each is in a block design, by the family of its part."""

from bitwright_boards.processing.platform import ZYNQ_7020, Platform, platform
from bitwright_boards.processing.system import PlClock, ProcessingSystem, SystemPort
from bitwright_boards.processing.zynq7 import Zynq7
from bitwright_boards.processing.zynq_ultra import ZynqUltra

__all__ = ["ZYNQ_7020", "PlClock", "Platform", "ProcessingSystem", "SystemPort", "Zynq7", "ZynqUltra", "platform"]
