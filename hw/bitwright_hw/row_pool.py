"""The row modules of a design: engines with equal rows share one."""

from bitwright_core.plan import Fold
from bitwright_hw.engine_numbers import Matrix, accumulator_bits, plane_order, products_of
from bitwright_hw.families import Family
from bitwright_hw.integer_row import IntegerRow
from bitwright_hw.popcount import AccumulateRow, ProductRow, SerialRow


class RowPool:
    """The row modules of a design: engines with equal rows instantiate one module, elaborated once."""

    def __init__(self) -> None:
        self.modules: dict[str, AccumulateRow] = {}

    def get(self, layer: Matrix, fold: Fold, family: Family, stages: int) -> tuple[str, AccumulateRow]:
        """The module name and the component of the rows of `layer`, folded so."""
        bits = accumulator_bits(layer, fold)
        single, order = fold.pass_words == 1, plane_order(layer, fold)
        if order is not None:
            name = f"row_{fold.simd}x{bits}_{stages}_{order.key}"
            if name not in self.modules:
                self.modules[name] = SerialRow(
                    simd=fold.simd,
                    gate=order.gate,
                    base=order.base,
                    doublings=order.doublings,
                    flips=order.flips,
                    bits=bits,
                    family=family,
                    stages=stages,
                )
            return name, self.modules[name]
        products = products_of(layer)
        if products is not None:
            name = f"row_{fold.simd}x{products.key}x{bits}_{stages}{'_single' if single else ''}"
            if name not in self.modules:
                self.modules[name] = ProductRow(
                    simd=fold.simd, products=products, bits=bits, family=family, stages=stages, single=single
                )
            return name, self.modules[name]
        if not layer.counts_bits:
            lane_bits = layer.takes.bits
            name = f"row_{fold.simd}x{lane_bits}x{bits}{'_single' if single else ''}"
            if name not in self.modules:
                self.modules[name] = IntegerRow(simd=fold.simd, lane_bits=lane_bits, bits=bits, single=single)
            return name, self.modules[name]
        name = f"row_{fold.simd}x{bits}_{stages}{'_single' if single else ''}"
        if name not in self.modules:
            self.modules[name] = AccumulateRow(simd=fold.simd, bits=bits, family=family, stages=stages, single=single)
        return name, self.modules[name]
