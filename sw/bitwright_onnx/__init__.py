"""Networks from and to ONNX files. The extra `onnx` brings the package that this needs."""

from bitwright_onnx.exporter import Dialect, export_onnx
from bitwright_onnx.importer import Imported, Options, import_onnx
from bitwright_onnx.refusals import OnnxError, Refusal

__all__ = ["Dialect", "Imported", "OnnxError", "Options", "Refusal", "export_onnx", "import_onnx"]
