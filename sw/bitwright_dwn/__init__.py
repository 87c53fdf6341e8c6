"""Import of torch-dwn's models: layers of lookup tables, from a state dict or from arrays of indices and tables.

The project: https://github.com/alanbacellar/DWN (A. T. L. Bacellar et al., "Differentiable Weightless Neural Networks",
ICML 2024, arXiv:2410.11112). docs/import.md has the keys that are read.
"""

from bitwright_dwn.importer import import_dwn

__all__ = ["import_dwn"]
