"""Networks from and to ONNX files. The extra `onnx` brings the package that this needs."""
